using System.CommandLine;
using CudaL2Net.Bench;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench match</c>: nearest neighbours.</summary>
internal static class BenchMatchCommand
{
    private static readonly Option<int?> Count = new("--count")
    {
        Description = "Queries, and as many targets (100000 unless given).",
        HelpName = "N",
    };

    private static readonly Option<bool> Bits = new("--bits") { Description = "256 bits by Hamming distance, not 128 floats by Euclidean distance." };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "match",
            "Measure matching: the nearest and second nearest of N descriptors for each of N others.",
            "cudal2net bench match --count 100000 --device cuda --out match.json",
            "cudal2net bench match --count 20000 --bits --device cpu")
        {
            Count, Bits, CommonOptions.Device, CommonOptions.Threads, BenchCommand.Rounds, BenchOutput.Out,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        const int Most = 4_000_000, Least = 2, Usual = 100_000, OnEmulator = 512;
        BenchOutput.CheckOut(line);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        int count = line.GetValue(Count) ?? (device.Emulated ? OnEmulator : Usual);
        if (count is < Least or > Most)
        {
            throw new UsageException($"--count {count}: it must be from {Least} to {Most}");
        }

        int rounds = BenchCommand.FindRounds(line, device.Emulated ? 1 : device.Name == "cpu" ? 3 : 9);
        BenchOutput.Write(terminal, line, terminal.WithProgress(
            "measuring", progress => MatchBench.Run(device, count, line.GetValue(Bits), rounds, progress, BenchOutput.Keep(line))));
        return 0;
    }
}
