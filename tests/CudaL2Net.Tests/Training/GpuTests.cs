using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Devices.Cuda;
using CudaL2Net.Interop;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;
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
            using (L2Net model = L2Net.LoadDefault(device))
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
        float[] expected = Losses(Device.Open("cpu")), actual = Losses(Device.Open("cuda")), again = Losses(Device.Open("cuda"));
        for (int i = 0; i < expected.Length; i++)
        {
            TestContext.Out.WriteLine($"step {i + 1}: CPU {expected[i]:F5}, GPU {actual[i]:F5}");
        }

        Assert.That(again, Is.EqualTo(actual), "a repeated run");
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(i < 5 ? 0.5 : 10).Percent, $"the loss of step {i + 1}");
        }

        float[] Losses(Device device)
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
}
