using System.Text.Json;
using System.Text.RegularExpressions;
using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Formats;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tests.Interop;
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

    [TestCase(KernelSet.Own, 50)]
    [TestCase(KernelSet.Vendor, 12)]
    public void StepsFollowTheCpuAndResumeBitForBit(KernelSet kernels, int steps)
    {
        RequireStandIns(kernels);
        int half = steps / 2;
        TrainingOptions options = Presets.Find("hardnet-200k+") with { Batch = 4, PairsPerEpoch = 80, Steps = steps };
        using var folder = new TemporaryFolder();
        string whole = folder["whole"], parts = folder["parts"], host = folder["host"];
        using (Device device = Device.Open("cuda", kernels: kernels))
        {
            Train(device, options, whole);
            using (var trainer = new Trainer(options, Data, null, device, parts))
            using (var stop = new CancellationTokenSource())
            {
                trainer.Run(new Stop(stop, half), stop.Token);
                Assert.That(trainer.StepsDone, Is.InRange(half, half + 1));
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
            Assert.That(File.ReadAllBytes(Path.Combine(parts, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, file))), file);
        }

        float[] losses = Losses(whole), expected = Losses(host);
        Assert.That(Losses(parts), Is.EqualTo(losses), "the losses of a repeated run");
        Assert.That(losses, Has.Length.EqualTo(steps));
        for (int i = 0; i < steps; i++)
        {
            // Rounding errors grow from step to step.
            Assert.That(losses[i], Is.EqualTo(expected[i]).Within(i < 5 ? 1e-3 : 1e-2), $"the loss of step {i + 1}");
        }
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
    // the CPU itself, started from weights that are moved by a unit in the last place.
    [TestCaseSource(nameof(PresetNames))]
    public void TwoStepsOfEveryPresetAgreeWithTheCpu(string preset, KernelSet kernels)
    {
        RequireStandIns(kernels);
        TrainingOptions options = Presets.Find(preset) with { Batch = 4, PairsPerEpoch = 8, Steps = 2 };
        PatchSet data = options.Architecture == Architecture.CentreSurround ? TrainingData.Blobs(8, centres: true) : Data;
        bool[] affine = [.. Enumerable.Range(1, 7).Select(layer => options.LearnedAffine && !options.Loss.IntermediateLayers.Contains(layer))];
        var initial = TowerWeights.Initialize(new TowerSettings(options.Normalization, options.Epsilon, options.Bias, affine), 1);
        TowerWeights moved = initial with
        {
            Layers =
            [
                .. initial.Layers.Select(layer => layer with { Filters = [.. layer.Filters.Select((w, i) => i % 2 == 0 ? MathF.BitIncrement(w) : w)] }),
            ],
        };
        using var folder = new TemporaryFolder();
        (float[] Losses, float[] Weights) expected = TwoSteps("cpu", initial), neighbour = TwoSteps("cpu", moved), actual = TwoSteps("cuda", initial);
        double noise = Distance(neighbour.Weights, expected.Weights), distance = Distance(actual.Weights, expected.Weights);
        TestContext.Out.WriteLine($"{distance / noise:F1} times the CPU's own noise");
        Assert.That(actual.Losses[0], Is.EqualTo(expected.Losses[0]).Within(1e-3).Percent);
        Assert.That(distance, Is.LessThan(20 * noise));

        (float[] Losses, float[] Weights) TwoSteps(string device, TowerWeights start)
        {
            string run = folder[device + (start == moved ? "-moved" : "")];
            using Device opened = Device.Open(device, kernels: device == "cpu" ? KernelSet.Own : kernels);
            using var trainer = new Trainer(options, data, null, opened, run,
                new TrainerSetup { InitialModel = new ModelFile(Architecture.L2Net, [start], 10, new Dictionary<string, string>()) });
            trainer.Run();
            TowerWeights end = ModelFile.Read(Path.Combine(run, "model.safetensors")).Towers[^1];
            return (Losses(run), [.. end.Layers.SelectMany(layer => layer.Filters)]);
        }
    }

    private static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / b.Sum(w => (double)w * w));

    // With batches of one size the second strategies are the first ones.
    private static IEnumerable<object[]> PresetNames() =>
    [
        .. Presets.All.Select(preset => preset.Name).Where(name => !name.EndsWith("-5m", StringComparison.Ordinal)).Append("l2net+").Append("cs-l2net+")
            .Select(name => new object[] { name, KernelSet.Own }),
        .. new[] { "quick", "l2net", "cs-l2net+", "ral-200k+" }.Select(name => new object[] { name, KernelSet.Vendor }),
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
