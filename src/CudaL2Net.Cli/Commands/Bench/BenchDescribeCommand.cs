using System.CommandLine;
using CudaL2Net.Bench;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench describe</c>: patches described a second.</summary>
internal static class BenchDescribeCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "describe",
            "Measure describing: from host memory, on a GPU also from device memory, on a CPU in turn with ONNX Runtime on the same network.",
            "cudal2net bench describe --device cuda --precision int8 bf16 --batch 2048 32768 --out describe.json",
            "cudal2net bench describe --device cpu --threads 1 2")
        {
            BenchCommand.Batches, BenchCommand.Precisions, CommonOptions.Device, BenchCommand.Threads, BenchCommand.Rounds, BenchOutput.Out,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        BenchOutput.CheckOut(line);
        BenchDevices devices = BenchCommand.FindDevices(line, terminal, describes: true);
        int[] batches = BenchCommand.FindBatches(line, 1, 1, devices.Emulated ? [4] : devices.IsCpu ? [2048] : [2048, 32768]);
        int rounds = BenchCommand.FindRounds(line, devices.Emulated ? 1 : 9);
        BenchOutput.Write(terminal, line, terminal.WithProgress(
            "measuring", progress => DescribeBench.Run(devices, batches, rounds, progress, BenchOutput.Keep(line))));
        return 0;
    }
}
