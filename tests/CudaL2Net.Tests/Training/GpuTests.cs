using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

/// <summary>What only a GPU can show.</summary>
[Category("Gpu")]
public sealed class GpuTests
{
    [SetUp]
    public void RequireGpu() => CudaDriver.RequireGpu();

    [Test]
    public void TheDriverTakesAllKernels()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        TestContext.Out.WriteLine(device.Description);
        Assert.That(device.LoadAll(), Is.Not.Empty);
    }

    [Test]
    public void AutoTakesTheGpu()
    {
        using Device device = Device.Open();
        Assert.That((device.Name, device.Note), Is.EqualTo(("cuda:0", (string?)null)));
    }

    [TestCase(Precision.Float32, 2e-5)]
    [TestCase(Precision.Tf32, 5e-3)]
    [TestCase(Precision.Bf16, 4e-2)]
    public void DescriptorsAreThoseOfTheCpu(Precision precision, double tolerance)
    {
        PatchSet patches = TrainingData.Blobs(700, views: 3);
        float[] expected = Describe(Device.Open("cpu")), actual = Describe(Device.Open("cuda", 0, precision));
        double worst = expected.Zip(actual).Max(pair => Math.Abs(pair.First - pair.Second));
        TestContext.Out.WriteLine($"{precision}: at most {worst:E2} apart");
        Assert.That(worst, Is.LessThan(tolerance));

        float[] Describe(Device device)
        {
            using (device)
            using (PatchModel model = PatchModel.LoadDefault(device))
            {
                return model.Describe(patches);
            }
        }
    }

    [TestCase("quick")]
    [TestCase("ral-200k+")]
    [TestCase("l2net")]
    public void ATrainingFollowsTheCpu(string preset)
    {
        PatchSet patches = TrainingData.Blobs(300, views: 3);
        TrainingOptions options = Presets.Find(preset) with { Batch = 64, PairsPerEpoch = 640, Steps = 50 };
        float[] expected = Losses(Device.Open("cpu"), patches, options), actual = Losses(Device.Open("cuda"), patches, options);
        float[] again = Losses(Device.Open("cuda"), patches, options);
        for (int i = 0; i < expected.Length; i++)
        {
            TestContext.Out.WriteLine($"step {i + 1}: CPU {expected[i]:F5}, GPU {actual[i]:F5}");
        }

        Assert.That(again, Is.EqualTo(actual), "a repeated run");
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(i < 5 ? 0.5 : 10).Percent, $"the loss of step {i + 1}");
        }
    }

    /// <summary>At the size at which speed is measured every block has many units: loops, stages and joins run, and a race would show in the bits.</summary>
    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Tf32)]
    [TestCase(Precision.Float32)]
    public void StepsOfFullSizeGiveTheSameBitsAgain(Precision precision)
    {
        PatchSet patches = TrainingData.Blobs(1024, views: 2);
        TrainingOptions options = Presets.Find("hardnet-200k") with { Batch = 512, PairsPerEpoch = 1024, Steps = 4 };
        float[] first = Losses(Device.Open("cuda", 0, precision), patches, options), again = Losses(Device.Open("cuda", 0, precision), patches, options);
        Assert.That(again, Is.EqualTo(first));
        Assert.That(first, Has.All.Matches<float>(float.IsFinite));
    }

    /// <summary>One call describes so many patches that every block has many; in calls of a few hundred each block has one.</summary>
    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Int8)]
    [TestCase(Precision.Tf32)]
    [TestCase(Precision.Float32)]
    public void ManyPatchesAreDescribedAsFew(Precision precision)
    {
        const int Few = 200, Many = 20_000;
        PatchSet patches = TrainingData.Blobs(500, views: 2);
        int[] rows = [.. Enumerable.Range(0, Many).Select(i => i % patches.Count)];
        using Device device = Device.Open("cuda", 0, precision);
        using PatchModel model = PatchModel.LoadDefault(device);
        float[] together = model.Describe(patches.Select(rows));
        for (int first = 0; first < Many; first += Few)
        {
            float[] part = model.Describe(patches.Select(rows.AsSpan(first, Few)));
            Assert.That(together.AsSpan(first * model.Dimension, part.Length).SequenceEqual(part), $"patches from {first} on");
        }
    }

    [TestCase(Precision.Float32, 1e-4)]
    [TestCase(Precision.Tf32, 5e-3)]
    public void TheVendorsConvolutionsAndOursAgree(Precision precision, double tolerance)
    {
        Conv2dGeometry[] layers = [new(16, 32, 32, 1, 32, 3, 3, 1, 1), new(16, 16, 16, 64, 128, 3, 3, 2, 1), new(16, 8, 8, 128, 128, 8, 8, 1, 0)];
        using Device ours = Device.Open("cuda", 0, precision), theirs = OpenVendor(precision);
        foreach (Conv2dGeometry g in layers)
        {
            foreach ((float[] expected, float[] actual) in Passes(ours, g).Zip(Passes(theirs, g)))
            {
                double worst = expected.Zip(actual).Max(pair => Math.Abs(pair.First - pair.Second));
                Assert.That(worst, Is.LessThan(tolerance * expected.Max(Math.Abs)), $"{g}");
            }
        }

        TestContext.Out.WriteLine(string.Join('\n', theirs.ChosenAlgorithms));

        static float[][] Passes(Device device, Conv2dGeometry g)
        {
            using Tensor<float> x = device.Upload<float>(Samples.Gaussian(1, g.Batch * g.Height * g.Width * g.InChannels));
            using Tensor<float> filters = device.Upload<float>(Samples.Gaussian(2, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels));
            using Tensor<float> dy = device.Upload<float>(Samples.Gaussian(3, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels));
            using Tensor<float> y = device.Allocate<float>(dy.Length), dx = device.Allocate<float>(x.Length), dFilters = device.Allocate<float>(filters.Length);
            device.Kernels.Conv2dForward(g, x, filters, null, y);
            device.Kernels.Conv2dBackwardData(g, dy, filters, dx);
            device.Kernels.Conv2dBackwardFilter(g, x, dy, dFilters, null);
            return [y.ToArray(), dx.ToArray(), dFilters.ToArray()];
        }
    }

    [Test]
    public void ATrainingWithTheVendorsKernelsFollowsOurs()
    {
        PatchSet patches = TrainingData.Blobs(300, views: 3);
        TrainingOptions options = Presets.Find("l2net") with { Batch = 64, PairsPerEpoch = 640, Steps = 20 };
        float[] theirs = Losses(OpenVendor(Precision.Float32), patches, options), ours = Losses(Device.Open("cuda"), patches, options);
        for (int i = 0; i < ours.Length; i++)
        {
            Assert.That(theirs[i], Is.EqualTo(ours[i]).Within(i < 5 ? 0.5 : 10).Percent, $"the loss of step {i + 1}");
        }
    }

    [Test]
    public void TenThousandStepsKeepTheMemory()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using var context = new CudaContext();
        using Tensor<float> x = device.Upload<float>(new float[4096]), y = device.Allocate<float>(4096);
        using IReplay replay = device.Record(() => device.ReluForward(x, y));
        ulong before = 0;
        for (int step = 0; step < 10_000; step++)
        {
            replay.Run();
            using (device.Allocate<float>(1 + (step % 1000)))
            {
                device.ReluBackward(x, y, y);
            }

            if (step == 1000)
            {
                device.Synchronize();
                before = context.GetFreeDeviceMemorySize();
            }
        }

        device.Synchronize();
        Assert.That(context.GetFreeDeviceMemorySize() + (64 << 20), Is.GreaterThan(before));
    }

    private static float[] Losses(Device device, PatchSet patches, TrainingOptions options)
    {
        using var folder = new TemporaryFolder();
        using (device)
        using (var trainer = new Trainer(options, patches, null, device, folder["run"]))
        {
            trainer.Run();
        }

        IEnumerable<string> lines = File.ReadLines(Path.Combine(folder["run"], "metrics.jsonl"));
        return [.. lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("loss").GetSingle())];
    }

    // Skips the running test where cuBLAS or cuDNN is not there.
    private static Device OpenVendor(Precision precision)
    {
        try
        {
            return Device.Open("cuda", 0, precision, KernelSet.Vendor);
        }
        catch (CudaLibraryException missing) when (missing.Call == null)
        {
            Assert.Ignore(missing.Message);
            throw;
        }
    }
}
