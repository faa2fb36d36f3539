using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Reference;

/// <summary>
/// Tests of kernels, run on the CPU and on a CUDA device: the emulated one, or the real one where <c>CUDAL2NET_DRIVER</c> names its driver. Of an operation that
/// cuDNN or cuBLAS has, the class asks for a third run, "vendor": on the emulated device with its stand-ins for these.
/// </summary>
[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
public abstract class OperationTests(string device)
{
    private protected const string Vendor = "vendor";

    /// <summary>Skips the tests on a CUDA device where there is none.</summary>
    [OneTimeSetUp]
    public void RequireDevice()
    {
        if (device != "cpu")
        {
            CudaDriver.Require();
        }

        if (device == Vendor && !CudaDriver.Emulated)
        {
            Assert.Ignore("a test of how the vendor's libraries are called; how exactly they compute is theirs to choose");
        }
    }

    /// <summary>Opens the device under test.</summary>
    private protected Device Open() => OpenWith(2);

    /// <summary>Runs the same work several times, on the CPU with one, two and three threads; asserts that the bits are the same and returns them.</summary>
    private protected float[][] RunOnDevice(Func<Device, Tensor<float>[]> work)
    {
        float[][] first = RunOnce(1, work);
        foreach (int threads in device == "cpu" ? new[] { 2, 3 } : [0])
        {
            float[][] again = RunOnce(threads, work);
            for (int i = 0; i < first.Length; i++)
            {
                Assert.That(again[i].AsSpan().SequenceEqual(first[i]) || Array.TrueForAll(first[i], float.IsNaN), Is.True,
                    device == "cpu" ? $"output {i} differs on {threads} threads" : $"output {i} differs when computed again");
            }
        }

        return first;
    }

    private float[][] RunOnce(int threads, Func<Device, Tensor<float>[]> work)
    {
        using Device opened = OpenWith(threads);
        Tensor<float>[] outputs;
        try
        {
            outputs = work(opened);
        }
        catch (NotImplementedException)
        {
            Assert.Ignore("not on this device yet");
            throw;
        }

        float[][] values = Array.ConvertAll(outputs, output => output.ToArray());
        Array.ForEach(outputs, output => output.Dispose());
        return values;
    }

    private Device OpenWith(int threads) =>
        device == Vendor ? Device.Open("cuda", kernels: KernelSet.Vendor) : Device.Open(device, device == "cpu" ? threads : 0);
}

/// <summary>Shorthands of tests.</summary>
internal static class DeviceExtensions
{
    /// <summary>A step's parameters in device memory.</summary>
    public static Tensor<StepParameters> Step(this Device device, uint step, float learningRate = 0, int batchOffset = 0) =>
        device.Upload<StepParameters>([new StepParameters { Step = step, LearningRate = learningRate, BatchOffset = batchOffset }]);
}
