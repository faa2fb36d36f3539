using System.Text.Json;
using System.Text.RegularExpressions;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Interop;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

/// <summary>Trainings on a CUDA device beside the same ones on the CPU.</summary>
[Category("Cuda")]
public sealed class CudaTrainingTests
{
    private static readonly PatchSet Data = TrainingData.Blobs(24, views: 3);

    [SetUp]
    public void RequireDriver() => CudaDriver.Require();

    // Four steps make an epoch; the run stops in the middle of the second one.
    [TestCase(KernelSet.Own)]
    [TestCase(KernelSet.Vendor)]
    public void StepsFollowTheCpuAndResumeBitForBit(KernelSet kernels)
    {
        RequireStandIns(kernels);
        const int Steps = 14, Stopped = 7;
        TrainingOptions options = Presets.Find("hardnet-200k+") with { Network = TestNetworks.Small, Batch = 4, PairsPerEpoch = 16, Steps = Steps };
        using var folder = new TemporaryFolder();
        string whole = folder["whole"], parts = folder["parts"], host = folder["host"];
        using (Device device = Device.Open("cuda", kernels: kernels))
        {
            Train(device, options, whole);
            using (var trainer = new Trainer(options, Data, null, device, parts))
            using (var stop = new CancellationTokenSource())
            {
                trainer.Run(new Stop(stop, Stopped), stop.Token);
                Assert.That(trainer.StepsDone, Is.InRange(Stopped, Stopped + 1));
            }

            using (var trainer = new Trainer(options, Data, null, device, parts, new TrainerSetup { Resume = true }))
            {
                Assert.That(trainer.OtherDevice, Is.Null);
                trainer.Run();
            }
        }

        using (Device device = Device.Open("cpu"))
        {
            Train(device, options, host);
        }

        foreach (string file in new[] { "model.safetensors", "checkpoint.safetensors" })
        {
            Assert.That(File.ReadAllBytes(Path.Combine(parts, file)), Same.As(File.ReadAllBytes(Path.Combine(whole, file))), file);
        }

        float[] losses = Losses(whole), expected = Losses(host);
        Assert.That(Losses(parts), Is.EqualTo(losses), "the losses of a repeated run");
        Assert.That(losses, Has.Length.EqualTo(Steps));
        for (int i = 0; i < Steps; i++)
        {
            // Rounding errors grow from step to step.
            Assert.That(losses[i], Is.EqualTo(expected[i]).Within(i < 5 ? 1e-3 : 1e-2), $"the loss of step {i + 1}");
        }
    }

    /// <summary>Activations rounded to 8 bits turn the direction of a step a little, and its length hardly.</summary>
    [TestCase(KernelSet.Own, "hardnet-200k", 2)]
    [TestCase(KernelSet.Vendor, "hardnet-200k", 1)]
    [TestCase(KernelSet.Vendor, "l2net", 2)]
    public void StepsInBf16GoWhereThoseOfTheCpuGo(KernelSet kernels, string preset, int steps)
    {
        RequireStandIns(kernels);
        TrainingOptions options = Presets.Find(preset) with { Batch = 4, PairsPerEpoch = 8, Steps = steps };
        options = options with { Optimizer = options.Optimizer with { LearningRate = 0.1f } };
        ModelFile initial = TestNetworks.Initial(options);
        using var folder = new TemporaryFolder();
        float[] start = TestNetworks.Filters(initial), bits = Train("bf16", "cuda", Precision.Bf16);
        float[] expected = Minus(Train("cpu", "cpu", Precision.Float32), start);
        if (kernels == KernelSet.Own)
        {
            Assert.That(Train("again", "cuda", Precision.Bf16), Same.As(bits), "a repeated run");
        }

        Assert.That(Losses(folder["bf16"])[0], Is.EqualTo(Losses(folder["cpu"])[0]).Within(2).Percent);
        float[] actual = Minus(bits, start);
        double cosine = Dot(actual, expected) / Math.Sqrt(Dot(actual, actual) * Dot(expected, expected));
        TestContext.Out.WriteLine($"cosine {cosine:F4}, lengths {Math.Sqrt(Dot(actual, actual) / Dot(expected, expected)):F4}");
        Assert.That(cosine, Is.GreaterThan(0.98));
        Assert.That(Math.Sqrt(Dot(actual, actual) / Dot(expected, expected)), Is.EqualTo(1).Within(0.05));

        float[] Train(string run, string device, Precision precision)
        {
            using Device opened = Device.Open(device, 0, precision, device == "cpu" ? KernelSet.Own : kernels);
            using var trainer = new Trainer(options, Data, null, opened, folder[run],
                new TrainerSetup { InitialModel = initial });
            trainer.Run();
            return TestNetworks.Filters(ModelFile.Read(Path.Combine(folder[run], "model.safetensors")));
        }

        static float[] Minus(float[] a, float[] b) => [.. a.Zip(b, (x, y) => x - y)];

        static double Dot(float[] a, float[] b) => a.Zip(b).Sum(pair => (double)pair.First * pair.Second);
    }

    [Test]
    public void Int8IsRefused()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cuda", precision: Precision.Int8);
        TrainingOptions options = Presets.Find("quick") with { Batch = 4, Steps = 1 };
        Assert.That(() => new Trainer(options, Data, null, device, folder["run"]), Throws.ArgumentException.With.Message.Contains("train in bf16"));
        Assert.That(folder["run"], Does.Not.Exist);
    }

    [Test]
    public void ABatchThatDoesNotFitIsToldWithOneThatDoes()
    {
        using var emulated = new EmulatedDevice();
        emulated["memory"] = 96 << 20;
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cuda");
        TrainingOptions options = Presets.Find("quick") with { Batch = 200, PairsPerEpoch = 400, Steps = 1 };
        PatchSet patches = TrainingData.Blobs(220);
        OutOfMemoryException? error = Assert.Throws<OutOfMemoryException>(() => new Trainer(options, patches, null, device, folder["large"]).Dispose());
        Match told = Regex.Match(error!.Message, "a batch of 200 pairs does not fit, about ([0-9]+) would");
        Assert.That(told.Success, error.Message);
        int fits = int.Parse(told.Groups[1].Value);
        Assert.That(fits, Is.InRange(8, 198));
        using var trainer = new Trainer(options with { Batch = fits }, patches, null, device, folder["fitting"]);
    }

    // How far two steps may lie apart: float32 rounds, and what rounding does depends on the loss and on the four samples of a statistic. So the measure is
    // the CPU itself, started from weights that are moved by a unit in the last place. But of a million inputs of ReLUs one or two are within rounding of 0; such
    // a one that goes the other way was seen to move the weights by 4e-4 of their length, and need not be met by the weights that are moved.
    [TestCaseSource(nameof(PresetNames))]
    public void TwoStepsOfAPresetAgreeWithTheCpu(string preset, KernelSet kernels)
    {
        RequireStandIns(kernels);
        TrainingOptions options = Presets.Find(preset) with { Batch = 4, PairsPerEpoch = 8, Steps = 2 };
        PatchSet data = options.Network.Towers.Count == 2 ? TrainingData.Blobs(8, centres: true) : Data;
        ModelFile initial = TestNetworks.Initial(options);
        ModelFile moved = TestNetworks.Map(initial, "filters", filters => [.. filters.Select((w, i) => i % 2 == 0 ? MathF.BitIncrement(w) : w)]);
        using var folder = new TemporaryFolder();
        (float[] Losses, float[] Weights) expected = TwoSteps("cpu", initial), neighbour = TwoSteps("cpu", moved), actual = TwoSteps("cuda", initial);
        double noise = Distance(neighbour.Weights, expected.Weights), distance = Distance(actual.Weights, expected.Weights);
        TestContext.Out.WriteLine($"{distance / noise:F1} times the CPU's own noise");
        Assert.That(actual.Losses[0], Is.EqualTo(expected.Losses[0]).Within(1e-3).Percent);
        Assert.That(distance, Is.LessThan(Math.Max(20 * noise, 1e-3)));

        (float[] Losses, float[] Weights) TwoSteps(string device, ModelFile start)
        {
            string run = folder[device + (start == moved ? "-moved" : "")];
            using Device opened = Device.Open(device, kernels: device == "cpu" ? KernelSet.Own : kernels);
            using var trainer = new Trainer(options, data, null, opened, run,
                new TrainerSetup { InitialModel = start });
            trainer.Run();
            return (Losses(run), TestNetworks.Filters(ModelFile.Read(Path.Combine(run, "model.safetensors"))));
        }
    }

    private static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / b.Sum(w => (double)w * w));

    // One preset for each path through a step: Adam and SGD, the losses' families, E3 after some and after all layers, learned scale and shift, augmentation,
    // two towers. The forms of a loss are told apart by the tests of its operation.
    private static IEnumerable<object[]> PresetNames() =>
    [
        .. new[] { "quick", "l2net", "hardnet-200k", "ral-200k", "l2net-contrastive", "l2net-dif-all", "l2net-affine", "cs-l2net+" }
            .Select(name => new object[] { name, KernelSet.Own }),
        // Not every batch will do: where one input of a ReLU is within rounding of 0, one gradient differs by far more than rounding.
        .. new[] { "cs-l2net+", "ral-200k+" }.Select(name => new object[] { name, KernelSet.Vendor }),
    ];

    // A vendor's library may take another algorithm, with other bits, each time.
    private static void RequireStandIns(KernelSet kernels)
    {
        if (kernels == KernelSet.Vendor && !CudaDriver.Emulated)
        {
            Assert.Ignore("needs the stand-ins for the vendor's libraries, which always do the same");
        }
    }

    private static void Train(Device device, TrainingOptions options, string folder)
    {
        using var trainer = new Trainer(options, Data, null, device, folder);
        Assert.That(trainer.Run().Completed);
    }

    private static float[] Losses(string run) =>
        [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("loss").GetSingle())];

    private sealed class Stop(CancellationTokenSource source, int step) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step >= step)
            {
                source.Cancel();
            }
        }
    }
}
