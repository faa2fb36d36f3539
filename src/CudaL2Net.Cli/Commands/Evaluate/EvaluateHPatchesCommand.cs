using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate hpatches</c>: verification, matching and retrieval on HPatches.</summary>
internal static class EvaluateHPatchesCommand
{
    private static readonly string[] Splits = ["a", "b", "c", "illum", "view", "full"];

    private static readonly Dictionary<string, HPatchesTask> TaskNames = new()
    {
        ["verification"] = HPatchesTask.Verification,
        ["matching"] = HPatchesTask.Matching,
        ["retrieval"] = HPatchesTask.Retrieval,
        ["all"] = HPatchesTask.All,
    };

    private static readonly Argument<string> Folder = new("DIR")
    {
        Description = "The folder of the sequences (i_ajuntament, v_abstract, ...), with splits.json and the task files in it, in its folder tasks or in tasks/splits.",
    };

    private static readonly Option<string> Split = new("--split")
    {
        Description = "The test sequences: a, b or c (of splits.json), illum, view or full.",
        HelpName = "SPLIT",
        DefaultValueFactory = _ => "a",
    };

    private static readonly Option<string> Tasks = new("--tasks")
    {
        Description = "verification, matching, retrieval, with commas; or all.",
        HelpName = "TASKS",
        DefaultValueFactory = _ => "all",
    };

    private static readonly Option<int> Pairs = new("--pairs")
    {
        Description = "Verification pairs of each kind; fewer than the official 1,000,000 are quicker.",
        HelpName = "N",
        DefaultValueFactory = _ => HPatchesTasks.OfficialPairs,
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Evaluate the model's binary form too (Hamming distance)." };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "hpatches",
            "The three tasks of HPatches, at its three levels of noise: mean average precision by level, kind of sequence and sequence.",
            "cudal2net evaluate hpatches hpatches-release --split a --model runs/liberty --method model,binary,sift,rootsift --csv scores.csv",
            "cudal2net evaluate hpatches hpatches-release --split a --method model,csv:descriptors/sift",
            "cudal2net evaluate hpatches hpatches-release --split view --tasks matching,retrieval --json > results.json")
        {
            Folder, Split, Tasks, CommonOptions.Model, Methods.Option, Methods.OnnxInput, Binary, Pairs, RunOutput.Csv, RunOutput.Report,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string split = line.GetRequiredValue(Split);
        if (!Splits.Contains(split))
        {
            throw new UsageException($"--split {split}: it must be {string.Join(", ", Splits)}{Suggestion.For(split, Splits)}");
        }

        int pairs = line.GetRequiredValue(Pairs);
        if (pairs is < 5 or > HPatchesTasks.OfficialPairs)
        {
            throw new UsageException($"--pairs {pairs}: it must be 5 to {HPatchesTasks.OfficialPairs}");
        }

        var options = new HPatchesOptions { Split = split, Tasks = ParseTasks(line.GetRequiredValue(Tasks)), Pairs = pairs };
        HPatchesDataset data = HPatchesDataset.Open(line.GetRequiredValue(Folder));
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Strips, line.GetValue(Binary) ? ["model", "binary"] : ["model"]);

        // Where all tasks are meant, those that need descriptors are left out, and the result says so; named, they are refused.
        if (line.GetRequiredValue(Tasks) != "all" && options.Tasks != HPatchesTask.Verification)
        {
            _ = methods.Describers;
        }

        EvaluationRun run = terminal.WithProgress("evaluating", report => new HPatchesEvaluation(data, device, options).Evaluate(methods.List, report));
        RunOutput.Write(terminal, line, run, methods);
        return 0;
    }

    private static HPatchesTask ParseTasks(string words)
    {
        HPatchesTask tasks = 0;
        foreach (string word in words.Split(',', StringSplitOptions.TrimEntries))
        {
            tasks |= TaskNames.TryGetValue(word, out HPatchesTask task)
                ? task
                : throw new UsageException($"--tasks {word}: it must be {string.Join(", ", TaskNames.Keys)}{Suggestion.For(word, TaskNames.Keys)}");
        }

        return tasks;
    }
}
