using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate w1bs</c>: strips of patches that differ in appearance, geometry, light or sensor.</summary>
internal static class EvaluateW1bsCommand
{
    private static readonly Argument<string> Folder = new("DIR")
    {
        Description = "The folder of W1BS (with data/W1BS in it, or that folder itself): strips of patches SUBSET/1/PAIR.bmp and SUBSET/2/PAIR.bmp.",
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "w1bs",
            "Match the strips of patches of W1BS: average precision by subset, and the benchmark's own \"mAUC\".",
            "cudal2net evaluate w1bs wxbs-descriptors-benchmark --method sift,rootsift,model,raw",
            "cudal2net evaluate w1bs W1BS --model runs/first --csv w1bs.csv")
        {
            Folder, CommonOptions.Model, Methods.Option, Methods.OnnxInput, RunOutput.Csv, RunOutput.Report,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        W1bsDataset data = W1bsDataset.Open(line.GetRequiredValue(Folder));
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Patches, "sift", "rootsift", "model");
        IReadOnlyList<IPatchDescriber> describers = methods.Describers;
        EvaluationRun run = terminal.WithProgress("evaluating", report => W1bsEvaluation.Evaluate(data, describers, report, device.Threads));
        RunOutput.Write(terminal, line, run, methods);
        return 0;
    }
}
