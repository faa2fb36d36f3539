using System.CommandLine;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate</c>: the benchmarks.</summary>
internal static class EvaluateCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "evaluate",
            "Measure descriptors side by side: on image sequences with known homographies, and on the benchmarks of patches.",
            "cudal2net evaluate sequences oxford/graf oxford/wall --model runs/first",
            "cudal2net evaluate brown phototour/notredame --model runs/first")
        {
            EvaluateSequencesCommand.Create(terminal),
            EvaluateBrownCommand.Create(terminal),
            EvaluateHPatchesCommand.Create(terminal),
            EvaluateOxfordCommand.Create(terminal),
            EvaluateSfmCommand.Create(terminal),
            EvaluateW1bsCommand.Create(terminal),
        };
        return command;
    }
}
