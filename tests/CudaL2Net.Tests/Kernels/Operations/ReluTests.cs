using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class ReluTests(string device) : OperationTests(device)
{
    [TestCase(1)]
    [TestCase(33)]
    [TestCase(40001)]
    public void MatchesTheReference(int length)
    {
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x), outputGradient = device.Upload<float>(dy);
            Tensor<float> y = device.Allocate<float>(length), dx = device.Allocate<float>(length);
            device.Kernels.ReluForward(input, y);
            device.Kernels.ReluBackward(input, outputGradient, dx);
            return [y, dx];
        });
        AssertClose(result[0], Plain.Relu(Samples.Widen(x)), 0);
        AssertClose(result[1], Plain.ReluGradient(Samples.Widen(x), Samples.Widen(dy)), 0);
    }

    [Test]
    public void TheGradientAtZeroIsZero()
    {
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> x = device.Upload<float>(new float[9]), dy = device.Upload<float>(Samples.Gaussian(3, 9));
            Tensor<float> dx = device.Allocate<float>(9);
            device.Kernels.ReluBackward(x, dy, dx);
            return [dx];
        });
        Assert.That(result[0], Is.All.Zero);
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference()
    {
        double[] x = Samples.Widen(Samples.Gaussian(4, 20)), dy = Samples.Widen(Samples.Gaussian(5, 20));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Relu(v)), x, Plain.ReluGradient(x, dy));
    }
}
