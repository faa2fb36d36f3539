using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary>What all cells of a grid have in common.</summary>
/// <param name="Change">What makes the presets' settings smaller, or else other.</param>
/// <param name="CheckpointSeconds">The time between checkpoints.</param>
internal sealed record GridSettings(Func<TrainingOptions, TrainingOptions> Change, double CheckpointSeconds = 60);

/// <summary>
/// Trains presets on each of some Brown sets and tests each on the others. Every cell has a folder of its own, <c>PRESET/SET</c>, with the training's files;
/// finished cells are taken as they are, a killed one goes on from its checkpoint.
/// </summary>
/// <param name="folder">The grid's folder.</param>
/// <param name="sets">The sets; of one alone nothing is tested.</param>
/// <param name="settings">What all cells have in common.</param>
/// <param name="device">Where it runs.</param>
/// <param name="terminal">Where progress is shown.</param>
internal sealed class TableGrid(string folder, IReadOnlyList<BrownDataset> sets, GridSettings settings, Device device, Terminal terminal)
{
    private const string Sift = "sift";

    private static readonly string Version =
        typeof(TableGrid).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    private readonly Dictionary<string, string> fingerprints = terminal.WithProgress(
        "reading the sets",
        report => sets.Select((set, i) => (Name: BrownEvaluation.NameOf(set), Of: Fingerprint(set, set.Mosaics, part => report((i + part) / sets.Count, string.Empty))))
            .ToDictionary(set => set.Name, set => set.Of));

    /// <summary>The folder of a training's model.</summary>
    public string FolderOf(string preset, string trainSet) => Path.Combine(folder, preset, trainSet);

    /// <summary>Does what is left of a grid.</summary>
    /// <param name="presets">The presets; null stands for SIFT.</param>
    /// <param name="trainSets">The sets to train on; null for all.</param>
    /// <param name="stop">Stops after saving.</param>
    /// <param name="observe">Is told of each report of a training with its preset and set; or null.</param>
    /// <returns>The cells, or null if it was stopped before the last one was finished.</returns>
    /// <exception cref="InvalidDataException">A cell is damaged, or of other settings or data.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public IReadOnlyList<GridCell>? Run(
        IReadOnlyList<string?> presets, IReadOnlyList<string>? trainSets, CancellationToken stop, Action<string, string, TrainingProgress>? observe = null)
    {
        using FolderLock held = FolderLock.Take(folder);
        var cells = new List<GridCell>();
        string[] names = [.. sets.Select(BrownEvaluation.NameOf)];
        (string? Preset, string TrainSet)[] plan =
        [
            .. presets.Contains(null) ? new (string?, string)[] { (null, string.Empty) } : [],
            .. (trainSets ?? names).SelectMany(set => WithInitial(presets).Select(preset => ((string?)preset, set))),
        ];

        // A damaged cell, or one of other settings, is told before hours of training.
        GridCell?[] known = [.. plan.Select(cell => Find(cell.Preset, cell.TrainSet))];
        for (int i = 0; i < plan.Length; i++)
        {
            (string? preset, string trainSet) = plan[i];
            string what = preset is null ? "SIFT" : $"{preset} on {trainSet}";
            terminal.Say($"cell {i + 1} of {plan.Length}: {what}{Finished(known[i])}");
            GridCell? cell = known[i] ?? (preset is null ? TestSift() : Make(preset, trainSet, stop, observe));
            if (cell is null)
            {
                return null;
            }

            if (cell.Failure is { } failure)
            {
                terminal.Say($"{what} failed: {failure}");
            }

            cells.Add(cell);
        }

        return cells;
    }

    private static string Finished(GridCell? cell) =>
        cell is null ? string.Empty : cell.Program == Version ? ", finished before" : $", finished before by version {cell.Program ?? "0.1.0 or older"}";

    // A centre-surround network starts from the L2-Net of the same set and augmentation.
    private static IEnumerable<string> WithInitial(IEnumerable<string?> presets) => presets.OfType<string>()
        .SelectMany(preset => InitialOf(preset) is { } initial ? [initial, preset] : new[] { preset })
        .Distinct();

    private static string? InitialOf(string preset) => Presets.Find(preset).Network.Towers.All(tower => tower.Trained) ? null
        : preset.EndsWith('+') ? "l2net+" : "l2net";

    // All bytes that scores depend on: names, sizes and times would not show every change.
    private static string Fingerprint(BrownDataset set, IReadOnlyList<string> images, Action<double> report)
    {
        string[] files = [Path.Combine(set.Folder, "info.txt"), Path.Combine(set.Folder, set.FindPairs()), .. images];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < files.Length; i++)
        {
            using FileStream stream = InputFile.Open(files[i]);
            hash.AppendData(SHA256.HashData(stream));
            report((i + 1.0) / files.Length);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string? DigestOf(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using FileStream stream = InputFile.Open(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private string ModelOf(string preset, string trainSet) => Path.Combine(FolderOf(preset, trainSet), "model.safetensors");

    private BrownDataset SetOf(string name) => sets.First(set => BrownEvaluation.NameOf(set) == name);

    private TrainingRun RunOf(string preset, string trainSet) => new(
        $"brown:{Path.GetFullPath(SetOf(trainSet).Folder)}", TrainingData.NoValidation, 0, null, new PairOptions(), settings.Change(Presets.Find(preset)),
        device.Name, device.Precision);

    private GridCell? Find(string? preset, string trainSet)
    {
        string cellFolder = FolderOf(preset ?? Sift, trainSet);
        if (GridCell.Read(cellFolder) is not { } cell)
        {
            return null;
        }

        string[] tests = [.. sets.Select(BrownEvaluation.NameOf).Where(name => name != trainSet)];
        bool otherData = !IsOfTheseSets(cell, cellFolder);
        bool otherPlace = cell.Preset != (preset ?? Sift) || cell.TrainSet != trainSet;
        bool incomplete = cell.Failure is null && !tests.All(test => cell.Scores.Any(score => score.TestSet == test));
        if (otherData || otherPlace || incomplete)
        {
            throw new InvalidDataException($"{cellFolder} holds a cell {(otherData ? "of other data" : "of another place in the grid")}; choose another --out");
        }

        RequireSameRun(preset, trainSet, cellFolder);
        if (preset is not null)
        {
            RequireSameModel(cell.Model, ModelOf(preset, trainSet), cellFolder, "was tested");
            RequireSameModel(cell.Initial, InitialOf(preset) is { } initial ? ModelOf(initial, trainSet) : string.Empty, cellFolder, "the training started from");
        }

        return cell;
    }

    private bool IsOfTheseSets(GridCell cell, string cellFolder)
    {
        if (cell.Data.Count != fingerprints.Count || cell.Data.Any(entry => !fingerprints.ContainsKey(entry.Key)))
        {
            return false;
        }

        if (cell.Data.All(entry => fingerprints[entry.Key] == entry.Value))
        {
            return true;
        }

        // Older files have fingerprints without the images.
        bool older = cell.Program is null && sets.All(set => cell.Data[BrownEvaluation.NameOf(set)] == Fingerprint(set, [], _ => { }));
        if (older)
        {
            terminal.Say($"{cellFolder}: taken as it is; it does not say which images it was made of, so it is not known whether they have changed");
        }

        return older;
    }

    // A cell tells of the model beside it. One that was removed tells nothing else.
    private static void RequireSameModel(string? digest, string path, string cellFolder, string what)
    {
        if (digest is not null && DigestOf(path) is { } now && now != digest)
        {
            throw new InvalidDataException(
                $"{path} is not the model that {what} for {Path.Combine(cellFolder, "cell.json")}: it has changed since. Remove {cellFolder} to train and test anew");
        }
    }

    // Cells may come from several devices, as long as their precision is the same.
    private void RequireSameRun(string? preset, string trainSet, string cellFolder)
    {
        if (preset is not null
            && (TrainingRun.Read(cellFolder) is not { } stored || !(stored with { Device = device.Name }).IsSameAs(RunOf(preset, trainSet))))
        {
            throw new InvalidDataException(
                $"{cellFolder} holds a training with other settings ({TrainingRun.PathIn(cellFolder)}); give the same ones, or choose another --out");
        }
    }

    private GridCell? Make(string preset, string trainSet, CancellationToken stop, Action<string, string, TrainingProgress>? observe)
    {
        string cellFolder = FolderOf(preset, trainSet);
        TrainingRun run = RunOf(preset, trainSet);
        run.Options.Validate();
        if (File.Exists(TrainingRun.PathIn(cellFolder)))
        {
            RequireSameRun(preset, trainSet, cellFolder);
        }

        ModelFile? initial = null;
        if (InitialOf(preset) is { } first)
        {
            string path = ModelOf(first, trainSet);
            if (!File.Exists(path))
            {
                return Finish(preset, trainSet, 0, 0, [], $"it starts from {first}, whose training failed");
            }

            initial = ModelInput.Read(path, terminal);
        }

        using FolderLock held = FolderLock.Take(cellFolder);
        TrainingData data = TrainingData.Load(run, device.Threads, terminal, stop);
        var watch = Stopwatch.StartNew();
        int steps = 0;
        try
        {
            using var trainer = new Trainer(run.Options, data.Training, null, device, cellFolder, new TrainerSetup
            {
                Resume = true,
                InitialModel = initial,
                DataDescription = data.Description,
                CheckpointInterval = TimeSpan.FromSeconds(settings.CheckpointSeconds),
                Lock = held,
            });
            run.Write(cellFolder);
            steps = trainer.TotalSteps;
            if (trainer.StepsDone > 0)
            {
                terminal.Say($"going on from step {trainer.StepsDone} of {steps}{(trainer.OtherDevice is { } other ? $", reached on {other}" : string.Empty)}");
            }

            TrainingResult result = TrainCommand.Train(terminal, trainer, stop, progress => observe?.Invoke(preset, trainSet, progress));
            if (!result.Completed)
            {
                return null;
            }
        }
        catch (TrainingCollapsedException collapse)
        {
            return Finish(preset, trainSet, steps, watch.Elapsed.TotalSeconds, [], collapse.Message);
        }

        double seconds = watch.Elapsed.TotalSeconds;
        using PatchModel model = ModelInput.Load(ModelOf(preset, trainSet), terminal, device);
        CellScore[] scores = Test([new ModelDescriber("float", model), new ModelDescriber("binary", model, binary: true)], trainSet);
        return Finish(preset, trainSet, steps, seconds, scores, null);
    }

    private GridCell TestSift()
    {
        Directory.CreateDirectory(FolderOf(Sift, string.Empty));
        return Finish(Sift, string.Empty, 0, 0, Test([new SiftDescriber(device.Threads)], string.Empty), null);
    }

    private GridCell Finish(string preset, string trainSet, int steps, double seconds, CellScore[] scores, string? failure)
    {
        var cell = new GridCell(preset, trainSet, steps, Math.Round(seconds, 1), fingerprints, scores, failure)
        {
            Model = preset == Sift ? null : DigestOf(ModelOf(preset, trainSet)),
            Initial = preset != Sift && InitialOf(preset) is { } initial ? DigestOf(ModelOf(initial, trainSet)) : null,
            Program = Version,
        };
        cell.Write(FolderOf(preset, trainSet));
        return cell;
    }

    private CellScore[] Test(IReadOnlyList<IPatchDescriber> methods, string trainSet)
    {
        BrownDataset[] tests = [.. sets.Where(set => BrownEvaluation.NameOf(set) != trainSet)];
        if (tests.Length == 0)
        {
            return [];
        }

        EvaluationRun run = terminal.WithProgress("testing", report => BrownEvaluation.Evaluate(tests, methods, progress: report, threads: device.Threads));
        return [.. run.Curves.Select(curve => new CellScore(
            curve.DataSet, methods.First(method => method.Name == curve.Method).IsBinary, curve.Roc.Fpr95, curve.Roc.Auc, curve.Roc.AveragePrecision))];
    }
}
