using System.CommandLine;
using CudaL2Net.Bench;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;
using CudaL2Net.Training;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench train</c>: the training step.</summary>
internal static class BenchTrainCommand
{
    private static readonly Option<string> Preset = new("--preset")
    {
        Description = "The settings of the training, as for train.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "hardnet-200k",
    };

    private static readonly Option<KernelSet> Kernels = new("--kernels")
    {
        Description = "Whose kernels train: own, or vendor (cuDNN and cuBLAS). Rows have the same names, so that both can be compared.",
        HelpName = "own|vendor",
    };

    private static readonly Option<bool> Split = new("--split")
    {
        Description = "Also measure where the step's time goes, operation by operation, one after another.",
    };

    static BenchTrainCommand() => Kernels.AcceptOnlyFromAmong([.. Enum.GetNames<KernelSet>().Select(name => name.ToLowerInvariant())]);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "train",
            "Measure the training step: patches per second, share of what the device can do, the host's part, memory.",
            "cudal2net bench train --preset hardnet-200k --batch 256 1024 --precision bf16 tf32 --device cuda --out train.json",
            "cudal2net bench train --kernels vendor --precision bf16 tf32 --batch 1024 --device cuda --out theirs.json",
            "cudal2net bench train --device cpu --threads 1 2 --split")
        {
            Preset, BenchCommand.Batches, BenchCommand.Precisions, CommonOptions.Device, BenchCommand.Threads, Kernels, BenchCommand.Rounds, Split,
            BenchOutput.Out,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        BenchOutput.CheckOut(line);
        TrainingOptions preset = TrainCommand.FindPreset(line.GetValue(Preset)!);
        if (preset.Network.Towers.Count != 1)
        {
            throw new UsageException($"--preset {preset.Preset}: bench train measures networks of one tower");
        }

        BenchDevices devices = BenchCommand.FindDevices(line, terminal, line.GetValue(Kernels));
        int[] batches = BenchCommand.FindBatches(line, 4, 2, devices.Emulated ? [8] : devices.IsCpu ? [256, 1024] : [256, 1024, 2048]);
        int rounds = BenchCommand.FindRounds(line, devices.Emulated ? 1 : devices.IsCpu ? 5 : 20);
        BenchOutput.Write(terminal, line, terminal.WithProgress(
            "measuring", progress => TrainBench.Run(devices, preset, batches, rounds, line.GetValue(Split), progress, BenchOutput.Keep(line))));
        return 0;
    }
}
