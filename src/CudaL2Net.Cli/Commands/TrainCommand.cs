using System.CommandLine;
using System.Diagnostics;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net train</c>.</summary>
internal static class TrainCommand
{
    private const string DefaultPreset = "quick";
    private const int MostPoints = 200_000;

    private static readonly string PresetNames = string.Join(", ", Presets.All.Select(preset => preset.Name));

    private static readonly Option<string?> Data = new("--data")
    {
        Description = $"The training patches: {PatchSources.Forms}.",
        HelpName = "SOURCE",
    };

    private static readonly Option<string?> Preset = new("--preset")
    {
        Description = $"The settings to start from ({DefaultPreset} unless given), also with + behind the name, for augmentation: {PresetNames}.",
        HelpName = "NAME",
    };

    private static readonly Option<string?> Network = new("--network")
    {
        Description = "The network to train, instead of the preset's: a name of the library (cudal2net info --networks lists them), or a JSON file.",
        HelpName = "NAME|FILE.json",
    };

    private static readonly Option<double?> Minutes = new("--minutes") { Description = "Train for about this long.", HelpName = "M" };

    private static readonly Option<int?> Steps = new("--steps") { Description = "Train for this many batches.", HelpName = "N" };

    private static readonly Option<int?> Epochs = new("--epochs") { Description = "Train for this many epochs.", HelpName = "E" };

    private static readonly Option<long?> Pairs = new("--pairs") { Description = "Pairs per epoch.", HelpName = "N" };

    private static readonly Option<int?> Batch = new("--batch") { Description = "Pairs per batch.", HelpName = "B" };

    private static readonly Option<float?> LearningRate = new("--lr") { Description = "The learning rate at the start.", HelpName = "L" };

    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of weights, batches and augmentation.", HelpName = "S" };

    private static readonly Option<string[]> Set = new("--set")
    {
        Description = "Change any other setting of the training or of the patches by its name in run.json: loss.margin=0.8, patches.copies=3. "
            + "May be given several times.",
        HelpName = "NAME=VALUE",
        AllowMultipleArgumentsPerToken = false,
    };

    private static readonly Option<int?> Points = new("--points")
    {
        Description = "Points to make of scenes or photographs. Each has two or more patches.",
        HelpName = "N",
    };

    private static readonly Option<string?> Validation = new("--validation")
    {
        Description = "Patches for the FPR95 during the training (a SOURCE as for --data); none for no validation. "
            + "The default is synthetic scenes that are not trained on.",
        HelpName = "SOURCE",
    };

    private static readonly Option<string?> Init = new("--init") { Description = "A trained model to start from; cs-l2net needs one.", HelpName = "MODEL" };

    private static readonly Option<string> Out = new("--out", "-o")
    {
        Description = "The folder for model.safetensors, checkpoint.safetensors, metrics.jsonl and run.json.",
        HelpName = "DIR",
        Required = true,
    };

    private static readonly Option<bool> Resume = new("--resume") { Description = "Go on with the training in --out, bit for bit as if it had not stopped." };

    private static readonly Option<KernelSet?> Kernels = new("--kernels")
    {
        Description = "Whose kernels a GPU trains with: own (the default), or vendor, to compare. Vendor is cuDNN for convolutions (in float32 and "
            + "tf32 also for batch normalization) and cuBLAS for the losses' matrix products; both must be installed.",
        HelpName = "own|vendor",
    };

    private static readonly Option<double> CheckpointSeconds = new("--checkpoint-seconds")
    {
        Description = "The time between checkpoints.",
        HelpName = "S",
        DefaultValueFactory = _ => 60,
    };

    private sealed record Outcome(
        bool Completed, int Steps, int TotalSteps, float? Loss, double? Fpr95, string? Model, string Checkpoint, int Patches, double TrainingSeconds);

    static TrainCommand() => Kernels.AcceptOnlyFromAmong([.. Enum.GetNames<KernelSet>().Select(name => name.ToLowerInvariant())]);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "train",
            "Train a descriptor.",
            "cudal2net train --data synthetic --preset quick --minutes 10 --out runs/first",
            "cudal2net train --data images:my/photos --preset hardnet-200k --minutes 60 --out runs/photos",
            "cudal2net train --data brown:phototour/liberty --preset ral-200k+ --out runs/liberty",
            "cudal2net train --data synthetic --network tfeat --steps 500 --out runs/tfeat",
            "cudal2net train --data images:my/photos --preset l2net --set loss.intermediateLayers=[7] --out runs/ablation",
            "cudal2net train --data synthetic --device cuda --precision tf32 --kernels vendor --out runs/cudnn",
            "cudal2net train --out runs/photos --resume")
        {
            Data, Preset, Network, Minutes, Steps, Epochs, Pairs, Batch, LearningRate, Seed, Set, Points, Validation, Init, Out, Resume, CheckpointSeconds,
            CommonOptions.Device, CommonOptions.Precision, Kernels, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    /// <summary>Trains with a progress display; <paramref name="observe"/> is told of every report.</summary>
    public static TrainingResult Train(Terminal terminal, Trainer trainer, CancellationToken stop, Action<TrainingProgress>? observe = null)
    {
        if (trainer.LacksDigest)
        {
            terminal.Say("the checkpoint is of an earlier version and has no digest, so damage to it may go unnoticed");
        }

        return terminal.WithProgress("training", report => trainer.Run(
            new Reporter<TrainingProgress>(progress =>
            {
                observe?.Invoke(progress);
                report((double)progress.Step / progress.TotalSteps, Describe(progress));
            }),
            stop));
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string folder = line.GetRequiredValue(Out);

        // Another process that trains there is told first. A folder is made only when all else is right.
        using FolderLock? existing = Directory.Exists(folder) ? FolderLock.Take(folder) : null;
        TrainingRun run = FindRun(line, folder);
        run.Validate();
        double checkpointSeconds = line.GetValue(CheckpointSeconds);
        if (!(checkpointSeconds is >= 0 and <= 1e6))
        {
            throw new UsageException($"--checkpoint-seconds {checkpointSeconds}: it must be from 0 to 1000000");
        }

        ModelFile? initial = line.GetValue(Init) is { } path ? ModelInput.Read(path, terminal) : null;
        RequireInitialTower(run, initial, line.GetValue(Init), folder);
        using Device device = CommonOptions.OpenDevice(line, terminal, run.Device, run.Precision, run.Kernels, trains: true);
        run = run with { Device = device.Name, Precision = device.Precision };
        using FolderLock? made = existing is null ? FolderLock.Take(folder) : null;
        using var interrupt = new Interrupt(terminal, "stopping; what has been trained is saved (Ctrl-C again leaves at once)");
        TrainingData data = TrainingData.Load(run, device.Threads, terminal, interrupt.Token);
        using var trainer = new Trainer(run.Options, data.Training, data.Validation, device, folder, new TrainerSetup
        {
            Resume = line.GetValue(Resume),
            Duration = run.Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
            InitialModel = initial,
            PatchScale = run.Patches.PatchScale,
            DataDescription = data.Description,
            CheckpointInterval = TimeSpan.FromSeconds(checkpointSeconds),
            Lock = existing ?? made,
        });
        run.Write(folder);
        terminal.Say($"{run.Options.Preset}: {trainer.TotalSteps} steps of {run.Options.Batch} pairs from {data.Description}, on {device.Description}");
        if (trainer.StepsDone > 0)
        {
            terminal.Say($"going on from step {trainer.StepsDone}"
                + (trainer.OtherDevice is { } other ? $", which was reached on {other}: the bits will not be those of an undisturbed run" : string.Empty));
        }

        var watch = Stopwatch.StartNew();
        TrainingResult result = Train(terminal, trainer, interrupt.Token);
        foreach (string choice in device.ChosenAlgorithms)
        {
            terminal.Say(choice);
        }

        var outcome = new Outcome(
            result.Completed,
            result.Steps,
            result.TotalSteps,
            float.IsNaN(result.Loss) ? null : result.Loss,
            result.Fpr95,
            result.ModelPath,
            result.CheckpointPath!,
            data.Training.Count,
            Math.Round(watch.Elapsed.TotalSeconds, 1));
        string measures = (outcome.Loss is { } loss ? $", loss {loss:F4}" : string.Empty) + (result.Fpr95 is { } fpr95 ? $", FPR95 {fpr95:P2}" : string.Empty);
        terminal.Result(outcome, console => console.WriteLine(result.Completed
            ? $"trained {result.TotalSteps} steps{measures}; the model is {result.ModelPath}"
            : $"stopped and saved at step {result.Steps} of {result.TotalSteps}; go on with: cudal2net train --out {folder} --resume"));
        return result.Completed ? 0 : ExitCode.Interrupted;
    }

    // Told before the patches are made, which can take minutes.
    private static void RequireInitialTower(TrainingRun run, ModelFile? initial, string? name, string folder)
    {
        bool resumed = File.Exists(Path.Combine(folder, "checkpoint.safetensors"));
        if (initial is null && run.Options.Network.Towers.Any(tower => !tower.Trained) && !resumed)
        {
            throw new UsageException(
                $"the network {run.Options.Network.Name} has a frozen tower and starts from a trained model, as a trained L2-Net: name it",
                "--init runs/l2net, the --out folder of a training with --preset l2net");
        }

        if (initial is not null && initial.Network.Towers.Count > run.Options.Network.Towers.Count)
        {
            throw new UsageException(
                $"--init {name}: the model has {initial.Network.Towers.Count} towers ({initial.Network.Name}); the training of {run.Options.Network.Name} starts from a "
                    + "model of one tower");
        }
    }

    // The run that the line asks for; with --resume, the folder's, which the line may repeat but not change.
    private static TrainingRun FindRun(ParseResult line, string folder)
    {
        bool resume = line.GetValue(Resume);
        TrainingRun? stored = TrainingRun.Read(folder);
        if (!resume && File.Exists(Path.Combine(folder, "checkpoint.safetensors")))
        {
            throw new UsageException($"{folder} holds a training already", "--resume goes on with it; or choose another --out");
        }

        if (resume && stored is not null)
        {
            TrainingOptions options = line.GetValue(Preset) is { } preset ? FindPreset(preset) : stored.Options;
            TrainingRun wanted = stored with
            {
                Data = line.GetValue(Data) ?? stored.Data,
                Validation = line.GetValue(Validation) ?? stored.Validation,
                Points = line.GetValue(Points) ?? stored.Points,
                Options = options,
                Precision = line.GetValue(CommonOptions.Precision) ?? stored.Precision,
                Kernels = line.GetValue(Kernels) ?? stored.Kernels,
            };
            wanted = Change(wanted, line);
            return wanted.IsSameAs(stored)
                ? stored
                : throw new UsageException(
                    $"the training in {folder} was started with other settings ({TrainingRun.PathIn(folder)})",
                    $"cudal2net train --out {folder} --resume goes on with these");
        }

        return line.GetValue(Data) is { } data
            ? NewRun(line, data)
            : throw new UsageException(
                resume ? $"{folder} holds no training to resume" : "--data is missing",
                "--data synthetic trains on procedural scenes, --data images:DIR on photographs");
    }

    private static TrainingRun NewRun(ParseResult line, string source)
    {
        double? minutes = line.GetValue(Minutes);
        if (minutes is { } given && (!double.IsFinite(given) || given <= 0))
        {
            throw new UsageException($"--minutes {given}: it must be above 0");
        }

        if (minutes is not null && (line.GetValue(Steps) is not null || line.GetValue(Epochs) is not null))
        {
            throw new UsageException("--minutes cannot be given together with --steps or --epochs: each says how long to train");
        }

        TrainingOptions preset = FindPreset(line.GetValue(Preset) ?? DefaultPreset);
        string validation = line.GetValue(Validation) ?? TrainingData.DefaultValidation;
        TrainingRun run = Change(new TrainingRun(source, validation, 0, minutes, new PairOptions(), preset), line);
        long pairs = minutes is null && run.Options.Steps is { } steps ? (long)steps * run.Options.Batch : run.Options.PairsPerEpoch;
        run = run with { Kernels = line.GetValue(Kernels) ?? KernelSet.Own };
        return run with { Points = line.GetValue(Points) ?? (int)Math.Clamp(pairs, 4L * run.Options.Batch, MostPoints) };
    }

    /// <summary>The settings of a preset.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static TrainingOptions FindPreset(string name)
    {
        IEnumerable<string> known = Presets.All.SelectMany(preset => new[] { preset.Name, preset.Name + "+" });
        return known.Contains(name)
            ? Presets.Find(name)
            : throw new UsageException($"unknown preset '{name}'{Suggestion.For(name, known)}", $"the presets are {PresetNames}, each also with +");
    }

    private static TrainingRun Change(TrainingRun run, ParseResult line)
    {
        TrainingOptions options = run.Options;
        if (line.GetValue(Network) is { } network)
        {
            options = options with { Network = CommonOptions.FindNetwork(network) };
            if (options.Network.ScoresPairs && options.Loss.Family != LossFamily.PairScore)
            {
                options = options with { Loss = new LossOptions { Family = LossFamily.PairScore } };
            }
        }

        options = line.GetValue(Epochs) is { } epochs ? options with { Epochs = epochs, Steps = null } : options;
        options = line.GetValue(Pairs) is { } pairs ? options with { PairsPerEpoch = pairs, Steps = null } : options;
        options = line.GetValue(Steps) is { } steps ? options with { Steps = steps } : options;
        options = line.GetValue(Batch) is { } batch ? options with { Batch = batch } : options;
        options = line.GetValue(Seed) is { } seed ? options with { Seed = seed } : options;
        options = line.GetValue(LearningRate) is { } rate ? options with { Optimizer = options.Optimizer with { LearningRate = rate } } : options;
        return TrainingRun.Change(run with { Options = options }, line.GetValue(Set) ?? []);
    }

    private static string Describe(TrainingProgress progress)
    {
        string left = progress.Remaining is { } remaining ? $"  {Duration(remaining)} left" : string.Empty;
        string fpr95 = progress.Fpr95 is { } value ? $"  FPR95 {value:P2}" : string.Empty;
        return $"step {progress.Step}/{progress.TotalSteps}  loss {progress.Loss:F4}  {progress.PatchesPerSecond:N0} patches/s{fpr95}{left}";
    }

    private static string Duration(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(int)time.TotalHours} h {time.Minutes} min"
        : time.TotalMinutes >= 1 ? $"{time.Minutes} min {time.Seconds} s"
        : $"{time.Seconds} s";
}
