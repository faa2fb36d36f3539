using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class UnitVectorTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 33, 130)] int rows, [Values(1, 5, 33, 128)] int width)
    {
        float[] x = Samples.Gaussian(1, rows * width), dy = Samples.Gaussian(2, rows * width);
        float[][] result = Run(x, dy, rows, width);
        AssertClose(result[0], Plain.UnitVector(Samples.Widen(x), width), 1e-6);
        if (width > 1)
        {
            AssertClose(result[1], Plain.UnitVectorGradient(Samples.Widen(x), Samples.Widen(dy), width), 2e-6);
        }
    }

    [Test]
    public void AZeroRowStaysZeroAndItsGradientIsFinite()
    {
        // x = 0: y = 0, and dx = dy / sqrt(1e-10) = 1e5 dy.
        float[][] result = Run(new float[8], [1, 2, 3, 4, 5, 6, 7, 8], 1, 8);
        AssertClose(result[0], new double[8], 0);
        AssertClose(result[1], [1e5, 2e5, 3e5, 4e5, 5e5, 6e5, 7e5, 8e5]);
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values(1, 5)] int width)
    {
        double[] x = Samples.Widen(Samples.Gaussian(3, 4 * width)), dy = Samples.Widen(Samples.Gaussian(4, 4 * width));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.UnitVector(v, width)), x, Plain.UnitVectorGradient(x, dy, width));
    }

    private float[][] Run(float[] x, float[] dy, int rows, int width) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x, rows, width), outputGradient = device.Upload<float>(dy, rows, width);
        Tensor<float> y = device.Allocate<float>(rows, width), dx = device.Allocate<float>(rows, width);
        device.Kernels.UnitVectorForward(input, y);
        device.Kernels.UnitVectorBackward(input, outputGradient, dx);
        return [y, dx];
    });
}
