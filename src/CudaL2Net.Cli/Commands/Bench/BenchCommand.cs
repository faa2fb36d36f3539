using System.CommandLine;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench</c>: how fast it is, against what the device can do.</summary>
internal static class BenchCommand
{
    /// <summary>The precisions.</summary>
    public static readonly Option<Precision[]> Precisions = new("--precision")
    {
        Description = "What matrix products multiply, one or several: float32, tf32, bf16; int8 for describing only. "
            + "The default is all of them on a GPU; a CPU has float32 only.",
        HelpName = "float32|tf32|bf16|int8",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>The batches.</summary>
    public static readonly Option<int[]> Batches = new("--batch")
    {
        Description = "Patches per batch, one or several numbers. A pair is two patches.",
        HelpName = "N",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>The numbers of threads.</summary>
    public static readonly Option<int[]> Threads = new("--threads")
    {
        Description = "CPU threads, one or several numbers; 0 is one per core.",
        HelpName = "N",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [0],
    };

    /// <summary>The samples.</summary>
    public static readonly Option<int?> Rounds = new("--rounds") { Description = "Samples of each figure, whose median counts.", HelpName = "N" };

    static BenchCommand() => Precisions.AcceptOnlyFromAmong([.. Enum.GetNames<Precision>().Select(name => name.ToLowerInvariant())]);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "bench",
            "Measure speed: every operation, training, describing and matching, as shares of what the device can do, and two runs against each other.",
            "cudal2net bench kernels --device cuda --vendor --out kernels.json --plot roofline.png",
            "cudal2net bench train --preset hardnet-200k --batch 256 1024 --out train.json",
            "cudal2net bench describe --threads 1 2",
            "cudal2net bench match --count 100000",
            "cudal2net bench compare before.json after.json --fail-above 5")
        {
            BenchKernelsCommand.Create(terminal),
            BenchTrainCommand.Create(terminal),
            BenchDescribeCommand.Create(terminal),
            BenchMatchCommand.Create(terminal),
            BenchCompareCommand.Create(terminal),
        };
        return command;
    }

    /// <summary>The devices that a line asks for; says why where <c>auto</c> finds no GPU.</summary>
    /// <param name="line">The line.</param>
    /// <param name="terminal">Where to say it.</param>
    /// <param name="kernels">Whose kernels train.</param>
    /// <param name="describes">Whether describing is measured, and nothing else.</param>
    /// <exception cref="UsageException">A number of threads is out of range, or a device is asked for what it has not.</exception>
    public static BenchDevices FindDevices(ParseResult line, Terminal terminal, KernelSet kernels = KernelSet.Own, bool describes = false)
    {
        const int MostThreads = 1024;
        int[] threads = [.. line.GetRequiredValue(Threads).Distinct()];
        if (Array.Find(threads, count => count is < 0 or > MostThreads) is var wrong and not 0)
        {
            throw new UsageException($"--threads {wrong}: it must be 0 (one per core) to {MostThreads}");
        }

        Precision[] precisions = [.. (line.GetValue(Precisions) ?? []).Distinct()];
        if (!describes && precisions.Contains(Precision.Int8))
        {
            throw new UsageException("--precision int8 is for describing", "bench describe --precision int8 measures it");
        }

        string name = line.GetValue(CommonOptions.Device) ?? "auto";
        using Device device = Device.Open(name, threads[0]);
        if (device.Note is { } note)
        {
            terminal.Say(note);
        }

        if (device.Name != "cpu")
        {
            precisions = precisions.Length > 0 ? precisions : [.. Enum.GetValues<Precision>().Where(precision => describes || precision != Precision.Int8)];
            return new BenchDevices(device.Name, precisions, [0]) { Emulated = device.Emulated, Kernels = kernels };
        }

        if (kernels != KernelSet.Own)
        {
            throw new UsageException("--kernels vendor: cuDNN and cuBLAS need a GPU (--device cuda)");
        }

        if (precisions.Any(precision => precision != Precision.Float32))
        {
            throw new UsageException("--precision: the CPU computes in float32; tf32, bf16 and int8 need a GPU (--device cuda)");
        }

        return new BenchDevices(device.Name, [Precision.Float32], threads);
    }

    /// <summary>The batches that a line asks for.</summary>
    /// <param name="line">The line.</param>
    /// <param name="least">The smallest batch that can be measured.</param>
    /// <param name="multiple">What each must be a multiple of.</param>
    /// <param name="usual">The batches where it asks for none.</param>
    /// <exception cref="UsageException">One is out of range.</exception>
    public static int[] FindBatches(ParseResult line, int least, int multiple, params int[] usual)
    {
        const int Most = 1 << 20;
        int[] batches = [.. (line.GetValue(Batches) ?? []).Distinct()];
        foreach (int batch in batches)
        {
            if (batch < least || batch > Most || batch % multiple != 0)
            {
                throw new UsageException($"--batch {batch}: it must be {(multiple == 2 ? "an even number " : string.Empty)}from {least} to {Most}");
            }
        }

        return batches.Length > 0 ? batches : usual;
    }

    /// <summary>The samples that a line asks for.</summary>
    /// <exception cref="UsageException">Too few, or too many.</exception>
    public static int FindRounds(ParseResult line, int usual)
    {
        const int Most = 10_000;
        int rounds = line.GetValue(Rounds) ?? usual;
        return rounds is >= 1 and <= Most ? rounds : throw new UsageException($"--rounds {rounds}: it must be from 1 to {Most}");
    }
}
