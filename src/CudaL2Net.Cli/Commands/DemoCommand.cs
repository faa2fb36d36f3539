using System.CommandLine;
using System.Diagnostics;
using System.Text;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Commands.Evaluate;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net demo</c>: trains on scenes made on the spot, evaluates, and shows the results.</summary>
internal static class DemoCommand
{
    private const string Marker = "results.json";
    private const string TrainedName = "trained here";
    private const string TrainingFolder = "training";
    private const string SequenceFolder = "sequences";

    // Half of the preset's: enough to do better than RootSIFT.
    private const int DefaultSteps = 150;

    private static readonly Option<string> Out = new("--out", "-o")
    {
        Description = "The folder for the results.",
        HelpName = "DIR",
        DefaultValueFactory = _ => "demo",
    };

    private static readonly Option<double?> Minutes = new("--minutes")
    {
        Description = "Train for about this long instead of 150 steps.",
        HelpName = "M",
    };

    private static readonly Option<int?> Steps = new("--steps") { Description = "Train for this many steps instead of 150.", HelpName = "N" };

    private static readonly Option<string[]> Sequences = new("--sequences")
    {
        Description = "Folders of image sequences to evaluate on as well (see evaluate sequences).",
        HelpName = "DIR",
        AllowMultipleArgumentsPerToken = true,
    };

    private sealed record DemoResult(string Folder, string Model, TrainingSummary Training, SequenceResults Synthetic, SequenceResults? Sequences);

    private sealed record TrainingSummary(string Preset, int Steps, int Batch, int Points, double Seconds, double PatchesPerSecond, double? Fpr95);

    private sealed record DemoTraining(TrainingSummary Summary, IReadOnlyList<TrainingPoint> Course, PatchSet Patches);

    private sealed record ImagePair(string First, string Second, string Caption);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "demo",
            "Train a descriptor in a few minutes on scenes made on the spot, evaluate it beside SIFT, RootSIFT and "
                + "the untrained network, and write a page with the results.",
            "cudal2net demo",
            "cudal2net demo --minutes 1 --out /tmp/demo",
            "cudal2net demo --sequences oxford")
        {
            Out, Minutes, Steps, Sequences, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    /// <summary>What the demo writes, by its folder.</summary>
    public static IEnumerable<OutputPlace> PlacesOf(string folder) =>
    [
        OutputPlace.Folder(folder),
        OutputPlace.Tree(Path.Combine(folder, TrainingFolder)),
        OutputPlace.Tree(Path.Combine(folder, SequenceFolder)),
        .. new[] { Marker, "index.html", "model.safetensors" }.Select(name => OutputPlace.FileAndFolder(Path.Combine(folder, name))),
    ];

    private static int Run(ParseResult line, Terminal terminal)
    {
        string folder = line.GetRequiredValue(Out);
        double? minutes = line.GetValue(Minutes);
        if (minutes is not null && line.GetValue(Steps) is not null)
        {
            throw new UsageException("--minutes and --steps cannot be given together: each says how long to train");
        }

        TrainingOptions options = Presets.Find("quick");
        options = minutes is null ? options with { Steps = line.GetValue(Steps) ?? DefaultSteps } : options;
        string[] given = line.GetValue(Sequences) ?? [];
        IReadOnlyList<ImageSequence> photographs = given.Length > 0 ? ImageSequence.LoadAll(given) : [];
        RequireOwn(folder);
        using FolderLock held = FolderLock.Take(folder);
        RemoveTraining(folder);
        using var interrupt = new Interrupt(terminal, "stopping (Ctrl-C again leaves at once)");
        using Device device = CommonOptions.OpenDevice(line, terminal, trains: true);
        terminal.Say($"on {device.Description}");

        DemoTraining? training = Train(
            new TrainingRun("synthetic", TrainingData.DefaultValidation, 0, minutes, new PairOptions(), options, device.Name, device.Precision),
            folder, device, terminal, interrupt.Token);
        if (training is null)
        {
            terminal.Say("stopped before the end of the training; there are no results");
            return ExitCode.Interrupted;
        }

        string modelPath = Path.Combine(folder, "model.safetensors");
        using PatchModel model = ModelInput.Load(modelPath, terminal, device),
            untrained = PatchModel.CreateRandom(NetworkFile.Find("hardnet"), options.Seed, device);
        IKeypointDescriber[] methods =
        [
            new SiftDescriber(device.Threads),
            new RootSiftDescriber(device.Threads),
            new CutPatchDescriber(new ModelDescriber("untrained", untrained), device.Threads),
            new CutPatchDescriber(new ModelDescriber(TrainedName, model), device.Threads),
        ];
        terminal.Say("making image sequences from scenes that were not trained on ...");
        IReadOnlyList<ImageSequence> scenes = SyntheticSequences.Write(Path.Combine(folder, SequenceFolder), threads: device.Threads);
        SequenceResults synthetic = EvaluateSequencesCommand.Evaluate(terminal, device, scenes, methods);
        SequenceResults? real = photographs.Count > 0 ? EvaluateSequencesCommand.Evaluate(terminal, device, photographs, methods) : null;
        interrupt.Token.ThrowIfCancellationRequested();

        var result = new DemoResult(folder, modelPath, training.Summary, synthetic, real);
        ImagePair shown = photographs.Count > 0 ? Pair(photographs[0], 0) : Pair(scenes.First(scene => scene.Name == "viewpoint"), 2);
        WriteReport(result, training, shown, methods[^1], device);
        terminal.Result(result, console =>
        {
            console.Write(EvaluateSequencesCommand.ToTable(synthetic));
            if (real is not null)
            {
                console.Write(EvaluateSequencesCommand.ToTable(real));
            }

            console.WriteLine($"Look at {Path.GetFullPath(Path.Combine(folder, "index.html"))}; the model is {modelPath}.");
        });
        return 0;
    }

    // A folder of an earlier demo is written over; anything else that is not empty is left alone.
    private static void RequireOwn(string folder)
    {
        bool taken = Directory.Exists(folder) && !FolderWalk.IsEmpty(folder);
        if (taken && !File.Exists(Path.Combine(folder, Marker)) && !File.Exists(TrainingRun.PathIn(Path.Combine(folder, TrainingFolder))))
        {
            throw new UsageException($"{folder} is not empty and holds no earlier demo", "choose another --out");
        }
    }

    private static void RemoveTraining(string folder)
    {
        string training = Path.Combine(folder, TrainingFolder);
        if (Directory.Exists(training))
        {
            Directory.Delete(training, recursive: true);
        }
    }

    private static ImagePair Pair(ImageSequence sequence, int other) =>
        new(sequence.Reference, sequence.Others[other].Path, $"{sequence.Name}, images 1 and {sequence.Others[other].Number}");

    private static DemoTraining? Train(TrainingRun run, string folder, Device device, Terminal terminal, CancellationToken stop)
    {
        // A short training needs fewer points, and they take a while to make.
        const int PairsPerPoint = 2, MostPoints = 20_000, ValidationPoints = 1000;
        double share = run.Minutes is { } minutes ? minutes / 3 : (double)run.Options.Steps!.Value / Presets.Find(run.Options.Preset).Steps!.Value;
        run = run with { Points = (int)Math.Clamp(MostPoints * share, 8 * run.Options.Batch / PairsPerPoint, MostPoints) };
        string trainingFolder = Path.Combine(folder, TrainingFolder);
        run.Write(trainingFolder);
        TrainingData data = TrainingData.Load(run, device.Threads, terminal, stop, ValidationPoints);
        using var trainer = new Trainer(run.Options, data.Training, data.Validation, device, trainingFolder, new TrainerSetup
        {
            Duration = run.Minutes is { } limit ? TimeSpan.FromMinutes(limit) : null,
            PatchScale = run.Patches.PatchScale,
            DataDescription = data.Description,
        });
        var course = new List<TrainingPoint>();
        var watch = Stopwatch.StartNew();
        TrainingResult result = TrainCommand.Train(terminal, trainer, stop, progress =>
        {
            course.Add(new TrainingPoint(progress.Step, progress.Loss, progress.Fpr95IsNew ? progress.Fpr95 : null));
        });
        double seconds = watch.Elapsed.TotalSeconds;
        if (!result.Completed)
        {
            return null;
        }

        ModelFile.Read(result.ModelPath!).Write(Path.Combine(folder, "model.safetensors"));
        var summary = new TrainingSummary(
            run.Options.Preset,
            result.TotalSteps,
            run.Options.Batch,
            run.Points,
            Math.Round(seconds, 1),
            Math.Round(result.TotalSteps * 2.0 * run.Options.Batch / seconds),
            result.Fpr95);
        return new DemoTraining(summary, course, data.Training);
    }

    private static void WriteReport(DemoResult result, DemoTraining training, ImagePair shown, IKeypointDescriber describer, Device device)
    {
        SequenceResults main = result.Sequences ?? result.Synthetic;
        MethodCurve[] curves = [.. main.Methods.Select(method => new MethodCurve(method.Name, method.Verification))];
        Write("roc.png", ResultPlots.Roc(curves, logarithmic: true));
        Write("precision-recall.png", ResultPlots.PrecisionRecall(curves));
        Write("results.png", ResultPlots.Bars(main));
        byte[] course = Write("training.png", ResultPlots.Training(training.Course));
        byte[] patches = Write("patches.png", PatchGallery.Draw(training.Patches, points: 14, perPoint: 3));
        ReportImage matches = MatchedPair.Draw(shown.First, shown.Second, shown.Caption, describer, device);
        Write("matches.png", matches.Png);
        Write(Marker, Encoding.UTF8.GetBytes(JsonText.Of(result)));

        TrainingSummary summary = result.Training;
        var report = new HtmlReport("A descriptor trained in minutes");
        report.AddSummary($"L2-Net, preset {summary.Preset}: {summary.Steps} steps of {summary.Batch} pairs from {summary.Points} points of procedural "
            + $"scenes, {summary.Seconds:F0} s, {summary.PatchesPerSecond:N0} patches/s on {device.Description}");
        report.AddSummary($"Model: {Path.GetFileName(result.Model)}; all numbers: {Marker}");
        if (result.Sequences is { } photographs)
        {
            report.AddHeading("On the given image sequences");
            report.AddResults(photographs);
        }

        report.AddHeading("On procedural scenes that were not trained on");
        report.AddResults(result.Synthetic);
        report.AddHeading("Matched keypoints");
        report.AddImage(matches.Png, matches.Caption, wide: true);
        report.AddHeading("Training");
        report.AddImage(course, "Loss of the batches, and FPR95 on pairs of patches from scenes that were not trained on.", HtmlReport.ImageKind.Plot);
        report.AddImage(patches, "Training patches: each column shows one point as different images see it.", HtmlReport.ImageKind.Pixels);
        report.Write(Path.Combine(result.Folder, "index.html"));

        byte[] Write(string name, byte[] content)
        {
            AtomicFile.Write(Path.Combine(result.Folder, name), stream => stream.Write(content));
            return content;
        }
    }
}
