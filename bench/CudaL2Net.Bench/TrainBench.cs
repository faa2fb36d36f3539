using System.Diagnostics;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Bench;

/// <summary>The training step: its speed, the host's part in it, its memory, and which operations take its time.</summary>
internal static class TrainBench
{
    // Steps between two marks of a GPU's clock, so that they follow one another as in a training.
    private const int StepsOfSample = 10;

    private const int MeteredSteps = 5;

    // An emulated device's times mean nothing; one step shows that all is counted.
    private const int EmulatedMeteredSteps = 1;

    /// <summary>Measures.</summary>
    /// <param name="devices">Where.</param>
    /// <param name="preset">The settings of the training, but for the batch.</param>
    /// <param name="batches">Patches of a batch, two per pair.</param>
    /// <param name="rounds">Samples.</param>
    /// <param name="split">Whether to measure also where the step's time goes.</param>
    /// <param name="progress">Is told the part that has been done, and what is being done.</param>
    /// <param name="keep">Gets the report, unfinished, after every row.</param>
    public static BenchReport Run(BenchDevices devices, TrainingOptions preset, int[] batches, int rounds, bool split, Action<double, string> progress,
        Action<BenchReport> keep)
    {
        var report = new GrowingReport("train", rounds, keep);
        int done = 0;
        foreach (Device opened in devices.Open())
        {
            using Device device = opened;
            Arithmetic arithmetic = Peaks.For(device.Precision);
            var peaks = new Peaks(device, arithmetic);
            report.Begin(device, peaks);
            foreach (int batch in batches)
            {
                progress((double)done++ / (devices.Count * batches.Length), $"{batch} patches, {DescribeBench.Title(device)}");
                TrainingOptions options = preset with { Batch = batch / 2 };
                BenchRow step = Measure(device, options, rounds);
                report.Add(step, arithmetic);
                foreach (BenchRow row in split ? Split(device, options, step.Name) : [])
                {
                    report.Add(row, arithmetic);
                }
            }

            peaks.Measure(device);
        }

        return report.Report();
    }

    private static BenchRow Measure(Device device, TrainingOptions options, int rounds)
    {
        int patches = 2 * options.Batch, steps = device is CudaDevice && !device.Emulated ? StepsOfSample : 1;
        long? free = device.FreeMemory();
        using TrainingStep step = Step(device, options);

        // The first run of a recorded step is an ordinary one, the second records it.
        step.Run();
        step.Run();
        device.Synchronize();
        using DeviceTimer timer = device.CreateTimer();
        double[] seconds = new double[rounds], host = new double[rounds];
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int round = 0; round < rounds; round++)
        {
            timer.Start();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < steps; i++)
            {
                step.Run();
            }

            host[round] = Stopwatch.GetElapsedTime(start).TotalSeconds / steps;
            timer.Stop();
            seconds[round] = timer.Seconds() / steps;
        }

        long allocated = (GC.GetTotalAllocatedBytes(precise: true) - before) / (rounds * steps);
        Work work = Work.TrainingStep(patches, Peaks.For(device.Precision));
        return Row(device, patches, seconds) with
        {
            Name = $"train {options.Preset}, {patches} patches, {DescribeBench.Title(device)}",
            Operation = device.KernelSet == KernelSet.Own ? "training step" : "training step by cuDNN and cuBLAS",
            Shape = options.Preset,
            Operations = work.Operations,
            Counting = work.Counting,
            PatchesPerSecond = patches / Timing.Median(seconds),
            HostMicroseconds = device is CudaDevice ? 1e6 * Timing.Median(host) : null,
            AllocatedBytes = allocated,
            DeviceBytes = free - device.FreeMemory(),
        };
    }

    private static IEnumerable<BenchRow> Split(Device device, TrainingOptions options, string name)
    {
        using var metered = new MeteredDevice(device);
        using TrainingStep step = Step(metered, options);
        step.Run();
        var samples = new Dictionary<string, (List<double> Seconds, long Operations)>();
        for (int i = 0; i < (device.Emulated ? EmulatedMeteredSteps : MeteredSteps); i++)
        {
            metered.Times.Clear();
            step.Run();
            foreach ((string operation, (double seconds, long operations)) in metered.Times)
            {
                samples.TryAdd(operation, ([], operations));
                samples[operation].Seconds.Add(seconds);
            }
        }

        double total = samples.Values.Sum(entry => Timing.Median(entry.Seconds));
        return samples.OrderByDescending(entry => Timing.Median(entry.Value.Seconds)).Select(entry =>
            Row(device, 2 * options.Batch, [.. entry.Value.Seconds]) with
            {
                Name = $"{name}: {entry.Key}",
                Operation = entry.Key,
                Operations = entry.Value.Operations,
                StepShare = Timing.Median(entry.Value.Seconds) / total,
            });
    }

    private static BenchRow Row(Device device, int patches, double[] seconds) => new()
    {
        Name = string.Empty,
        Operation = string.Empty,
        Batch = patches,
        Precision = device.Precision.ToString().ToLowerInvariant(),
        Threads = (device as CpuDevice)?.Threads,
        Seconds = seconds,
    };

    private static TrainingStep Step(Device device, TrainingOptions options)
    {
        PatchSet patches = TensorSet.Patches(2 * options.Batch);
        int[] rows = [.. Enumerable.Range(0, patches.Count).Select(row => row < options.Batch ? 2 * row : (2 * (row - options.Batch)) + 1)];
        var weights = NetworkWeights.Initialize(options.Network, options.Seed);
        var step = new TrainingStep(device, options, options.Loss.Create(), patches, ShapedNetwork.Of(options.Network), weights, 1);
        step.LoadEpoch(rows, [new StepParameters { Step = 1, LearningRate = 1e-3f }], 0);
        return step;
    }
}
