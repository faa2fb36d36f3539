using System.CommandLine;
using CudaL2Net.Bench;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Formats;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench kernels</c>: every operation by itself.</summary>
internal static class BenchKernelsCommand
{
    private static readonly Option<string> Filter = new("--filter")
    {
        Description = "Measure only operations with this text in their name, as conv2d or \"layer 4\".",
        HelpName = "TEXT",
        DefaultValueFactory = _ => string.Empty,
    };

    private static readonly Option<bool> Vendor = new("--vendor")
    {
        Description = "Also measure cuDNN's convolutions and cuBLAS's matrix products, if they are installed.",
    };

    private static readonly Option<string?> Plot = new("--plot")
    {
        Description = "A plot: operations per second over operations per byte, under the device's two roofs.",
        HelpName = "FILE.png",
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "kernels",
            "Measure every operation at the network's shapes: time, bytes and operations, shares of what the device can do, and the error.",
            "cudal2net bench kernels --device cuda --vendor --out kernels.json --plot roofline.png",
            "cudal2net bench kernels --device cuda --precision bf16 --batch 1024 --filter \"conv2d forward\"",
            "cudal2net bench kernels --device cpu --batch 256 --filter conv2d")
        {
            CommonOptions.Device, BenchCommand.Precisions, BenchCommand.Batches, BenchCommand.Threads, Filter, Vendor, BenchCommand.Rounds,
            BenchOutput.Out, Plot,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        BenchOutput.CheckOut(line);
        string? plot = line.GetValue(Plot);
        if (plot is not null && !plot.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"--plot {plot}: the plot is written as .png", $"--plot {Path.ChangeExtension(plot, ".png")}");
        }

        BenchDevices devices = BenchCommand.FindDevices(line, terminal);
        if (devices.Threads.Length > 1)
        {
            throw new UsageException("--threads: bench kernels takes one number");
        }

        if (line.GetValue(Vendor) && devices.IsCpu)
        {
            throw new UsageException("--vendor: cuDNN and cuBLAS need a GPU (--device cuda)");
        }

        int[] batches = BenchCommand.FindBatches(line, 4, 2, devices.Emulated ? [4] : devices.IsCpu ? [256] : [256, 1024, 2048]);
        int rounds = BenchCommand.FindRounds(line, devices.Emulated ? 1 : devices.IsCpu ? 5 : 20);
        var options = new KernelBenchOptions(devices, batches, line.GetValue(Filter)!, rounds, line.GetValue(Vendor), terminal.Say);
        BenchReport report;
        try
        {
            report = terminal.WithProgress("measuring", progress => KernelBench.Run(options, progress, BenchOutput.Keep(line)));
        }
        catch (UnknownOperationException error)
        {
            throw new UsageException(error.Message, "without --filter all are measured");
        }
        if (plot is not null)
        {
            byte[] image = Draw(report);
            AtomicFile.Write(plot, stream => stream.Write(image));
        }

        BenchOutput.Write(terminal, line, report);
        return 0;
    }

    private static byte[] Draw(BenchReport report)
    {
        IEnumerable<RooflinePoint> points =
            from row in report.Rows
            where row.Operations > 0 && row.Bytes > 0
            let intensity = (double)row.Operations / row.Bytes
            let name = row.Shape.Split(',')[0] is var shape && shape.StartsWith("layer", StringComparison.Ordinal) ? $"{row.Operation}, {shape}" : row.Operation
            from point in new (string? Series, double? Seconds)[]
            {
                ($"ours, {row.Precision}", Timing.Median(row.Seconds)),
                (row.Peer is null ? null : $"vendor, {row.Precision}", row.Peer is null ? null : Timing.Median(row.Peer.Seconds)),
            }
            where point.Series is not null
            select new RooflinePoint(name, point.Series!, intensity, row.Operations / point.Seconds!.Value / 1e12);
        Peak memory = report.Peaks[0];
        IEnumerable<Peak> levels = report.Peaks.Skip(1).Where(peak => report.Rows.Any(row => row.ArithmeticPeak == peak.Rate));
        return ResultPlots.Roofline(
            [.. points],
            memory.Rate / 1e12,
            [.. levels.Select(peak => (peak.Name, peak.Rate / 1e12))],
            $"Roofline: {report.Machine.Description}{(report.Machine.Emulated ? " (no GPU's times)" : string.Empty)}");
    }
}
