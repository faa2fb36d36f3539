using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class LrnTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 3, 33)] int rows, [Values(1, 5, 33, 128)] int channels, [Values(1, 2, 5, 256)] int window)
    {
        var options = new LrnOptions(channels, window, 2, 0.3f, 0.75f);
        float[] x = Samples.Gaussian(1, rows * channels), dy = Samples.Gaussian(2, rows * channels);
        float[][] result = Run(options, x, dy);
        AssertClose(result[0], Plain.Lrn(options, Samples.Widen(x)), 1e-6);
        AssertClose(result[1], Plain.LrnGradient(options, Samples.Widen(x), Samples.Widen(dy)), 1e-6);
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values(1, 2, 3, 5, 16)] int window)
    {
        var options = new LrnOptions(5, window, 1.5f, 0.4f, 0.75f);
        double[] x = Samples.Widen(Samples.Gaussian(3, 15)), dy = Samples.Widen(Samples.Gaussian(4, 15));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Lrn(options, v)), x, Plain.LrnGradient(options, x, dy));
    }

    [Test]
    public void WithL2NetsParametersItIsTheUnitVector()
    {
        var options = new LrnOptions(128, 256, 0, 1, 0.5f);
        float[] x = Samples.Gaussian(1, 3 * 128), dy = Samples.Gaussian(2, 3 * 128);
        float[][] result = Run(options, x, dy);
        AssertClose(result[0], Plain.UnitVector(Samples.Widen(x), 128), 1e-6);
        AssertClose(result[1], Plain.UnitVectorGradient(Samples.Widen(x), Samples.Widen(dy), 128), 1e-6);
    }

    [Test]
    public void AnEvenWindowReachesOneChannelFurtherUp()
    {
        // n = 2, kappa 0, alpha 1, beta 0.5: channel c sees c and c + 1. x = (3, 4, 0): y = (3 / 5, 4 / 4, 0), the last with a sum of 0.
        float[][] result = Run(new LrnOptions(3, 2, 0, 1, 0.5f), [3, 4, 0], [1, 1, 1]);
        AssertClose(result[0], [0.6, 1, 0], 1e-6);
        Assert.That(result[1], Is.All.Matches<float>(float.IsFinite));
    }

    private float[][] Run(LrnOptions options, float[] x, float[] dy) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x), outputGradient = device.Upload<float>(dy);
        Tensor<float> y = device.Allocate<float>(x.Length), dx = device.Allocate<float>(x.Length);
        device.Kernels.LrnForward(options, input, y);
        device.Kernels.LrnBackward(options, input, outputGradient, dx);
        return [y, dx];
    });
}
