using System.CommandLine;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net data</c>: makes data sets.</summary>
internal static class DataCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal) => new ExampleCommand("data", "Make data sets in the benchmarks' formats.")
    {
        MakeBrownCommand.Create(terminal),
    };
}
