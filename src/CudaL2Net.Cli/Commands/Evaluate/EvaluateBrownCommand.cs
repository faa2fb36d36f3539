using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate brown</c>: FPR95, ROC and AP on sets of Brown's PhotoTour data.</summary>
internal static class EvaluateBrownCommand
{
    private static readonly Argument<string> Folder = new("DIR")
    {
        Description = "A folder with patches0000.bmp, info.txt and a list of test pairs, or a folder of such folders (liberty, notredame, yosemite).",
    };

    private static readonly Option<string?> Pairs = new("--pairs")
    {
        Description = $"The list of test pairs in the folder ({BrownDataset.DefaultPairs} if it is there, else the only m50_N_N_0.txt).",
        HelpName = "FILE",
    };

    private static readonly Option<string?> TrainSet = new("--train-set")
    {
        Description = "The set that the model was trained on. The others are tested.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Evaluate the model's binary form too (Hamming distance)." };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "brown",
            "Tell matching from non-matching patches of Brown's PhotoTour data: FPR95, ROC, AUC, average precision.",
            "cudal2net evaluate brown phototour --train-set liberty --model runs/liberty --method model,binary,sift,rootsift,raw",
            "cudal2net evaluate brown phototour --model runs/liberty --method model,binary,sift --report brown.html",
            "cudal2net evaluate brown phototour/yosemite --binary --json")
        {
            Folder, CommonOptions.Model, Methods.Option, Methods.OnnxInput, TrainSet, Pairs, Binary, RunOutput.Csv, RunOutput.Report,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        IReadOnlyList<BrownDataset> sets = WithoutTrainSet(BrownEvaluation.OpenAll(line.GetRequiredValue(Folder)), line.GetValue(TrainSet));
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Patches, line.GetValue(Binary) ? ["model", "binary"] : ["model"]);
        EvaluationRun run = terminal.WithProgress(
            "evaluating",
            report => BrownEvaluation.Evaluate(
                sets, methods.List, line.GetValue(Pairs), report, RunOutput.WantsReport(line) ? RunOutput.GalleryPairs : 0, device.Threads));
        if (line.GetValue(TrainSet) is { } trainSet)
        {
            run = run with { Settings = new Dictionary<string, string>(run.Settings) { [EvaluationReport.TrainSet] = trainSet } };
        }

        RunOutput.Write(terminal, line, run, methods);
        return 0;
    }

    private static IReadOnlyList<BrownDataset> WithoutTrainSet(IReadOnlyList<BrownDataset> sets, string? name)
    {
        if (name is null)
        {
            return sets;
        }

        BrownDataset[] others = [.. sets.Where(set => !string.Equals(BrownEvaluation.NameOf(set), name, StringComparison.OrdinalIgnoreCase))];
        string[] names = [.. sets.Select(BrownEvaluation.NameOf)];
        return others.Length == sets.Count
            ? throw new UsageException($"--train-set {name}: the sets are {string.Join(", ", names)}{Suggestion.For(name, names)}")
            : others.Length > 0
                ? others
                : throw new UsageException($"--train-set {name}: no other set is left to test on", "name the folder that holds several sets");
    }
}
