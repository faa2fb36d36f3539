using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Devices.Cpu;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Training;

namespace CudaL2Net.Benchmarks;

/// <summary>The training step: its speed, what it allocates, and which kernels take the time.</summary>
internal static class TrainBenchmark
{
    private const int MeteredSteps = 5;
    private static readonly int[] Pairs = [128, 512];

    public static IEnumerable<Table> Run(Settings settings)
    {
        TrainingOptions preset = Presets.Find(settings.Preset);
        var speed = new Table(
            $"Training step of {preset.Preset}",
            ("threads", "0"),
            ("pairs", "0"),
            ("ms", "0.0"),
            ("patches/s", "0"),
            ("GFLOP/s", "0"),
            ("share", "0%"),
            ("bytes allocated", "0"))
        {
            Note = $"Medians; {Flop(1) / 1e9:0.000} GFLOP a patch (three passes of each convolution but the first layer's gradient of its input). "
                + "The share is of the rate of fused multiply-adds measured in the same run.",
        };
        var split = new Table(
            "Where the step's time goes",
            ("threads", "0"),
            ("pairs", "0"),
            ("kernel", ""),
            ("calls", "0"),
            ("ms", "0.00"),
            ("of the step", "0.0%"),
            ("GFLOP/s", "0"),
            ("share", "0%"))
        {
            Note = $"Means over {MeteredSteps} steps, measured apart from the table above. Only convolutions have a rate.",
        };
        foreach (int threads in settings.Threads)
        {
            foreach (int pairs in Pairs)
            {
                TrainingOptions options = preset with { Batch = pairs };
                double peak = FmaPeak.Measure(threads);
                using var device = new CpuDevice(threads);
                (double seconds, long bytes) = Measure(device, options, settings.Rounds);
                peak = Math.Max(peak, FmaPeak.Measure(threads));
                double rate = Flop(2 * pairs) / seconds / 1e9;
                speed.Add(threads, pairs, seconds * 1e3, 2 * pairs / seconds, rate, rate / peak, bytes);
                AddKernels(split, device, options, peak);
            }
        }

        yield return speed;
        yield return split;
    }

    /// <summary>Floating-point operations of the convolutions of a step.</summary>
    private static double Flop(int patches) => 2.0 * patches * ((3 * DescribeBenchmark.MultiplyAdds()) - DescribeBenchmark.Layers().First().MultiplyAdds);

    private static (double Seconds, long Bytes) Measure(Device device, TrainingOptions options, int rounds)
    {
        using TrainingStep step = Step(device, options);
        Action run = step.Run;
        run();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < rounds; i++)
        {
            run();
        }

        long bytes = (GC.GetTotalAllocatedBytes(precise: true) - before) / rounds;
        return (Timing.Interleaved(rounds, run)[0], bytes);
    }

    private static void AddKernels(Table table, CpuDevice device, TrainingOptions options, double peak)
    {
        var metered = new MeteredDevice(device);
        using TrainingStep step = Step(metered, options);
        step.Run();
        metered.Times.Clear();
        for (int i = 0; i < MeteredSteps; i++)
        {
            step.Run();
        }

        double total = metered.Times.Values.Sum(time => time.Seconds);
        foreach ((string kernel, (int calls, double seconds, double flop)) in metered.Times.OrderByDescending(entry => entry.Value.Seconds))
        {
            double rate = flop > 0 ? flop / seconds / 1e9 : double.NaN;
            table.Add(device.Threads, options.Batch, kernel, calls / MeteredSteps, seconds / MeteredSteps * 1e3, seconds / total, rate, rate / peak);
        }
    }

    private static TrainingStep Step(Device device, TrainingOptions options)
    {
        PatchSet patches = RandomInput.Patches(2 * options.Batch);
        int[] rows = [.. Enumerable.Range(0, patches.Count).Select(row => row < options.Batch ? 2 * row : (2 * (row - options.Batch)) + 1)];
        var settings = new TowerSettings(options.Normalization, options.Epsilon, options.Bias, new bool[TowerLayer.All.Count]);
        var weights = TowerWeights.Initialize(settings, options.Seed);
        var step = new TrainingStep(device, options, patches, weights, null, 1);
        step.LoadEpoch(rows, [new StepParameters { Step = 1, LearningRate = 1e-3f }], 0);
        return step;
    }
}
