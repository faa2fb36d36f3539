using CudaL2Net.Devices;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Tests.Reference;

/// <summary>Runs kernels of the CPU device.</summary>
internal static class OnCpu
{
    /// <summary>Runs the same work on one, two and three threads, asserts that the bits are the same and returns them.</summary>
    public static float[][] Run(Func<Device, Tensor<float>[]> work)
    {
        float[][] single = RunOn(1, work);
        foreach (int threads in new[] { 2, 3 })
        {
            float[][] shared = RunOn(threads, work);
            for (int i = 0; i < single.Length; i++)
            {
                Assert.That(shared[i].AsSpan().SequenceEqual(single[i]) || Array.TrueForAll(single[i], float.IsNaN), Is.True,
                    $"output {i} differs on {threads} threads");
            }
        }

        return single;
    }

    /// <summary>A step's parameters in device memory.</summary>
    public static Tensor<StepParameters> Step(this Device device, uint step, float learningRate = 0, int batchOffset = 0) =>
        device.Upload<StepParameters>([new StepParameters { Step = step, LearningRate = learningRate, BatchOffset = batchOffset }]);

    private static float[][] RunOn(int threads, Func<Device, Tensor<float>[]> work)
    {
        using Device device = Device.Open("cpu", threads);
        Tensor<float>[] outputs = work(device);
        float[][] values = Array.ConvertAll(outputs, output => output.ToArray());
        Array.ForEach(outputs, output => output.Dispose());
        return values;
    }
}
