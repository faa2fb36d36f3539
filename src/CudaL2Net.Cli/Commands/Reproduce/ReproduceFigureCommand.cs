using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary><c>cudal2net reproduce figure3</c>: L2-Net's ablations and the distributions of its descriptors.</summary>
internal static class ReproduceFigureCommand
{
    private static readonly (string Name, string Preset)[] Variants =
    [
        ("L2-Net", "l2net"),
        ("without E3", "l2net-no-dif"),
        ("E3 after every BN", "l2net-dif-all"),
        ("learned scale and shift", "l2net-affine"),
        ("without E2", "l2net-no-compact"),
    ];

    private static readonly Option<string> HPatches = new("--hpatches")
    {
        Description = "The folder of the HPatches sequences to test on.",
        HelpName = "DIR",
        Required = true,
    };

    private static readonly Option<string> Split = new("--split")
    {
        Description = "Whose test sequences: a, b, c, illum, view or full.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "a",
    };

    private static readonly Option<string?> TrainSet = new("--train-set")
    {
        Description = "The Brown set to train on (the default: liberty if it is there, else the first). The others are tested, too.",
        HelpName = "NAME",
    };

    private static readonly Option<int> VerificationPairs = new("--verification-pairs")
    {
        Description = "Matches, and non-matches of each kind, of HPatches' verification.",
        HelpName = "N",
        DefaultValueFactory = _ => HPatchesTasks.OfficialPairs,
    };

    private static readonly Option<string[]> Rows = new("--rows")
    {
        Description = $"The variants to make, with commas, by their presets ({string.Join(",", Variants.Select(variant => variant.Preset))}). "
            + "The default is all.",
        HelpName = "NAMES",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "figure3",
            "L2-Net's figure 3: its losses' ablations, trained on one Brown set and tested on HPatches, and the distributions of values and bits.",
            "cudal2net reproduce figure3 --brown phototour --hpatches hpatches-release --out runs/figure3",
            "cudal2net reproduce figure3 --brown phototour --hpatches hpatches-release --rows l2net,l2net-no-dif --steps 2000 --out runs/small");
        foreach (Option option in ReproduceCommand.Shared.Concat([HPatches, Split, TrainSet, VerificationPairs, Rows]))
        {
            command.Add(option);
        }

        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        (string Name, string Preset)[] variants = Choose(line.GetValue(Rows) ?? []);
        IReadOnlyList<BrownDataset> sets = BrownEvaluation.OpenAll(line.GetRequiredValue(ReproduceCommand.Brown));
        string trainSet = FindTrainSet([.. sets.Select(BrownEvaluation.NameOf)], line.GetValue(TrainSet));
        HPatchesDataset data = HPatchesDataset.Open(line.GetRequiredValue(HPatches));
        string folder = line.GetRequiredValue(ReproduceCommand.Out);
        var options = new HPatchesOptions { Split = line.GetRequiredValue(Split), Pairs = line.GetValue(VerificationPairs) };
        using Device device = CommonOptions.OpenDevice(line, terminal, trains: true);
        new HPatchesEvaluation(data, device, options).Check();
        using var interrupt = new Interrupt(terminal, "stopping; what has been trained is saved (Ctrl-C again leaves at once)");
        var grid = new TableGrid(folder, sets, ReproduceCommand.Settings(line), device, terminal);
        IReadOnlyList<GridCell>? cells = grid.Run([.. variants.Select(variant => variant.Preset)], [trainSet], interrupt.Token);
        if (cells is null)
        {
            terminal.Say("stopped; the same command goes on");
            return ExitCode.Interrupted;
        }

        string[] failed = [.. cells.Where(cell => cell.Failure is not null).Select(cell => cell.Preset)];
        variants = [.. variants.Where(variant => !failed.Contains(variant.Preset))];
        if (variants.Length == 0)
        {
            terminal.Say("no training succeeded, so there is nothing to test");
            return ExitCode.Failure;
        }

        EvaluationRun run = Test(terminal, grid, variants, trainSet, data, options, device, interrupt.Token);
        run = Complete(run, ReproduceCommand.Describe(line), variants, trainSet, sets, cells);
        string page = Path.Combine(folder, "index.html");
        RunOutput.WriteReport(page, EvaluationReport.Create(run, "L2-Net, figure 3: ablations and distributions"), run, run.ToCsv());
        RunOutput.Show(terminal, run);
        terminal.Say($"the page is {Path.GetFullPath(page)}");
        return 0;
    }

    private static EvaluationRun Test(
        Terminal terminal,
        TableGrid grid,
        (string Name, string Preset)[] variants,
        string trainSet,
        HPatchesDataset data,
        HPatchesOptions options,
        Device device,
        CancellationToken stop)
    {
        PatchModel[] models =
        [
            .. variants.Select(variant => ModelInput.Load(Path.Combine(grid.FolderOf(variant.Preset, trainSet), "model.safetensors"), terminal, device)),
        ];
        try
        {
            RecordingDescriber[] methods = [.. variants.Select((variant, i) => new RecordingDescriber(new ModelDescriber(variant.Name, models[i])))];
            EvaluationRun run = terminal.WithProgress("testing", report => new HPatchesEvaluation(data, device, options).Evaluate(methods, report, stop));
            return run with { Descriptors = [.. methods.Select(method => DescriptorStatistics.Measure(method.Name, method.Sample.ToSet(), device.Threads))] };
        }
        finally
        {
            foreach (PatchModel model in models)
            {
                model.Dispose();
            }
        }
    }

    // What the trainings were, which of them failed, and their FPR95 on the other Brown sets.
    private static EvaluationRun Complete(
        EvaluationRun run,
        Dictionary<string, string> settings,
        (string Name, string Preset)[] variants,
        string trainSet,
        IReadOnlyList<BrownDataset> sets,
        IReadOnlyList<GridCell> cells)
    {
        settings["trained on"] = trainSet;
        foreach ((string name, string value) in run.Settings)
        {
            settings[name] = value;
        }

        foreach (GridCell cell in cells.Where(cell => cell.Failure is not null))
        {
            settings[$"{Variants.First(variant => variant.Preset == cell.Preset).Name} failed"] = cell.Failure!;
        }

        string[] origins = [.. sets.Select(set => set.ReadOrigin()).OfType<string>().Distinct()];
        if (origins.Length > 0)
        {
            settings[EvaluationRun.DataNote] = string.Join(" ", origins);
        }

        string[] tests = [.. sets.Select(BrownEvaluation.NameOf).Where(name => name != trainSet)];
        ScoreTable[] brown = tests.Length == 0 ? [] :
        [
            new ScoreTable("Brown, FPR95", BrownEvaluation.Fpr95Definition, false, ScoreUnit.Percent, tests, [.. variants.Select(variant =>
            {
                GridCell cell = cells.First(cell => cell.Preset == variant.Preset);
                return new ScoreRow(variant.Name, [.. tests.Select(test => (double?)cell.Scores.First(score => score.TestSet == test && !score.IsBinary).Fpr95)]);
            })]),
        ];
        return run with { Settings = settings, Tables = [.. run.Tables, .. brown] };
    }

    private static string FindTrainSet(string[] names, string? wanted) => wanted is null
        ? names.FirstOrDefault(name => PublishedResults.FindSet(name) == BrownSet.Liberty) ?? names[0]
        : names.FirstOrDefault(name => string.Equals(name, wanted, StringComparison.OrdinalIgnoreCase))
            ?? throw new UsageException($"--train-set {wanted}: the sets are {string.Join(", ", names)}{Suggestion.For(wanted, names)}");

    private static (string Name, string Preset)[] Choose(string[] wanted)
    {
        string[] words = [.. wanted.SelectMany(word => word.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];
        string[] known = [.. Variants.Select(variant => variant.Preset)];
        string? stranger = words.FirstOrDefault(word => !known.Contains(word));
        return stranger is not null
            ? throw new UsageException($"--rows {stranger}: there is no such variant{Suggestion.For(stranger, known)}", $"they are {string.Join(", ", known)}")
            : words.Length == 0 ? Variants : [.. Variants.Where(variant => words.Contains(variant.Preset))];
    }
}
