using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Interop;

/// <summary>Recorded work against the same calls one by one.</summary>
[Category("Cuda")]
public sealed class GraphReplayTests
{
    [SetUp]
    public void RequireDriver() => CudaDriver.Require();

    [Test]
    public void ReplayingIsDoingItAgain()
    {
        float[] recorded = Steps(replayed: true), called = Steps(replayed: false);
        Assert.That(recorded, Is.EqualTo(called));
        Assert.That(recorded, Has.Some.Not.Zero);
    }

    [Test]
    public void AReplayIsOneLaunch()
    {
        using var emulated = new EmulatedDevice();
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>(new float[1000]), y = device.Allocate<float>(1000);
        using IReplay replay = device.Record(() =>
        {
            device.ReluForward(x, y);
            device.Add(x, y);
        });
        replay.Run();
        replay.Run();
        device.Synchronize();
        long launches = emulated["launches"], graphs = emulated["graphLaunches"], copies = emulated["copies"];
        for (int i = 0; i < 5; i++)
        {
            replay.Run();
        }

        Assert.That(emulated["pending"], Is.Positive, "nothing waits for the device");
        device.Synchronize();
        Assert.That((emulated["graphLaunches"] - graphs, emulated["copies"] - copies), Is.EqualTo((5, 0)));
        Assert.That(emulated["launches"] - launches, Is.EqualTo(10).Or.Zero);
    }

    [Test]
    public void AReadingHasTheValuesOfItsTimeAndNothingWaitsForIt()
    {
        using var emulated = new EmulatedDevice();
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>([1, -2]), y = device.Allocate<float>(2), z = device.Upload<float>([5]);
        using Readback readback = device.CreateReadback(y, z);
        device.ReluForward(x, y);
        readback.Queue();
        Assert.That(emulated["pending"], Is.Positive);
        Assert.That(readback.IsReady, Is.False);
        device.Add(x, y);
        Assert.That(readback.Take().ToArray(), Is.EqualTo(new float[] { 1, 0, 5 }));
        Assert.That(readback.IsReady);
        Assert.That(y.ToArray(), Is.EqualTo(new float[] { 2, -2 }));
    }

    // y_k = relu(y_(k-1) + x) with dropout drawn from the schedule's step.
    private static float[] Steps(bool replayed)
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>([.. Enumerable.Range(0, 500).Select(i => MathF.Sin(i))]), y = device.Allocate<float>(500);
        using Tensor<float> sum = device.Allocate<float>(500);
        using Tensor<StepParameters> schedule = device.Upload<StepParameters>([.. Enumerable.Range(0, 8).Select(i => new StepParameters { Step = (uint)i })]);
        using Tensor<StepParameters> step = device.Allocate<StepParameters>(1);
        using Tensor<int> cursor = device.Allocate<int>(1);
        void Work()
        {
            device.NextStep(schedule, cursor, step);
            device.Dropout(new DropoutOptions(0.4f, 1), step, x, y);
            device.Add(y, sum);
            device.ReluForward(sum, y);
        }

        using IReplay replay = device.Record(Work);
        for (int i = 0; i < 6; i++)
        {
            if (replayed)
            {
                replay.Run();
            }
            else
            {
                Work();
            }
        }

        return y.ToArray();
    }
}
