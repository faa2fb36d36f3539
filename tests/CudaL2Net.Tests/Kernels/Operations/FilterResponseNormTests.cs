using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class FilterResponseNormTests(string device) : OperationTests(device)
{
    private const float Epsilon = 1e-6f;

    [TestCase(3, 32, 32, 1)]
    [TestCase(2, 16, 16, 32)]
    [TestCase(5, 8, 8, 128)]
    [TestCase(2, 5, 7, 3)]
    [TestCase(1, 3, 3, 5)]
    [TestCase(7, 1, 1, 7)]
    [TestCase(2, 9, 4, 13)]
    [TestCase(40, 3, 5, 33)]
    [TestCase(2, 2, 2, 65)]
    public void MatchesTheReference(int batch, int height, int width, int channels)
    {
        int length = batch * height * width * channels;
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, length);
        (float[] scale, float[] shift, float[] threshold) = Parameters(channels);
        float[][] result = Run([batch, height, width, channels], x, dy, scale, shift, threshold);
        (double[] a, double[] b, double[] t) = (Samples.Widen(scale), Samples.Widen(shift), Samples.Widen(threshold));
        (double[] dx, double[] dScale, double[] dShift, double[] dThreshold) =
            Plain.FilterResponseNormGradient(batch, channels, Epsilon, Samples.Widen(x), a, b, t, Samples.Widen(dy));
        AssertClose(result[0], Plain.FilterResponseNorm(batch, channels, Epsilon, Samples.Widen(x), a, b, t), 1e-6);

        // With one pixel the two terms of dx nearly cancel.
        AssertClose(result[1], dx, height * width == 1 ? 1e-5 : 3e-6);
        AssertClose(result[2], dScale, 3e-6);
        AssertClose(result[3], dShift, 3e-6);
        AssertClose(result[4], dThreshold, 3e-6);
    }

    [Test]
    public void TheReferenceGradientsAreFiniteDifferences()
    {
        const int Channels = 3, Length = 2 * 6 * Channels;
        double[] x = Samples.Widen(Samples.Gaussian(3, Length)), dy = Samples.Widen(Samples.Gaussian(4, Length));
        double[] scale = [1.2, -0.7, 0.4], shift = [0.1, 0, -0.3], threshold = [0, -0.2, 0.1];
        (double[] dx, double[] dScale, double[] dShift, double[] dThreshold) =
            Plain.FilterResponseNormGradient(2, Channels, 0.1, x, scale, shift, threshold, dy);
        double Value(double[] v, double[] a, double[] b, double[] t) => FiniteDifferences.Dot(dy, Plain.FilterResponseNorm(2, Channels, 0.1, v, a, b, t));
        FiniteDifferences.Check(v => Value(v, scale, shift, threshold), x, dx);
        FiniteDifferences.Check(v => Value(x, v, shift, threshold), scale, dScale);
        FiniteDifferences.Check(v => Value(x, scale, v, threshold), shift, dShift);
        FiniteDifferences.Check(v => Value(x, scale, shift, v), threshold, dThreshold);
    }

    [Test]
    public void WithoutParametersOnlyTheResponseIsNormalized([Values(1, 11)] int channels)
    {
        int length = 2 * 15 * channels;
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, length);
        double[] ones = [.. Enumerable.Repeat(1.0, channels)], zeros = new double[channels], none = [.. Enumerable.Repeat(double.NegativeInfinity, channels)];
        float[][] result = Run([2, 3, 5, channels], x, dy, null, null, null);
        AssertClose(result[0], Plain.FilterResponseNorm(2, channels, Epsilon, Samples.Widen(x), ones, zeros, none), 1e-6);
        AssertClose(result[1], Plain.FilterResponseNormGradient(2, channels, Epsilon, Samples.Widen(x), ones, zeros, none, Samples.Widen(dy)).X, 3e-6);
    }

    [Test]
    public void AtTheThresholdTheGradientIsTheThresholds()
    {
        // A channel of zeros is 0 after its normalization, and 0 is its threshold.
        float[] dy = Samples.Gaussian(2, 4);
        float[][] result = Run([1, 2, 2, 1], new float[4], dy, [1], [0], [0]);
        Assert.Multiple(() =>
        {
            Assert.That(result[0], Is.All.Zero);
            Assert.That(result[1], Is.All.Zero);
            Assert.That(result[4][0], Is.EqualTo(dy.Sum()).Within(1e-6));
        });
    }

    [Test]
    public void ANaNIsNotHidden()
    {
        float[] x = Samples.Gaussian(1, 2 * 4 * 9);
        x[9] = float.NaN;
        float[] y = Run([2, 2, 2, 9], x, x, null, null, [.. Enumerable.Repeat(0.5f, 9)])[0];
        Assert.That(y.Select(float.IsNaN), Is.EqualTo(y.Select((_, i) => i < 36 && i % 9 == 0)));
    }

    [Test]
    public void AnImageDoesNotDependOnItsBatch()
    {
        const int Length = 5 * 5 * 33;
        float[] x = Samples.Gaussian(1, 4 * Length), dy = Samples.Gaussian(2, 4 * Length);
        (float[] scale, float[] shift, float[] threshold) = Parameters(33);
        float[][] all = Run([4, 5, 5, 33], x, dy, scale, shift, threshold);
        float[][] one = Run([1, 5, 5, 33], x[(2 * Length)..(3 * Length)], dy[(2 * Length)..(3 * Length)], scale, shift, threshold);
        Assert.That(one[0], Is.EqualTo(all[0][(2 * Length)..(3 * Length)]));
        Assert.That(one[1], Is.EqualTo(all[1][(2 * Length)..(3 * Length)]));
    }

    [Test]
    public void TheGradientMayBeComputedInPlace()
    {
        float[] x = Samples.Gaussian(1, 2 * 9 * 13), dy = Samples.Gaussian(2, 2 * 9 * 13);
        (float[] scale, float[] shift, float[] threshold) = Parameters(13);
        float[] apart = Run([2, 3, 3, 13], x, dy, scale, shift, threshold)[1], inPlace = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x, 2, 3, 3, 13), y = device.Allocate<float>(2, 3, 3, 13), inverse = device.Allocate<float>(2, 13);
            using Tensor<float> a = device.Upload<float>(scale), b = device.Upload<float>(shift), t = device.Upload<float>(threshold);
            Tensor<float> gradient = device.Upload<float>(dy, 2, 3, 3, 13);
            device.Kernels.FilterResponseNormForward(Epsilon, input, a, b, t, inverse, y);
            device.Kernels.FilterResponseNormBackward(input, a, b, t, inverse, gradient, gradient, null, null, null);
            return [gradient];
        })[0];
        Assert.That(inPlace, Is.EqualTo(apart));
    }

    private static (float[] Scale, float[] Shift, float[] Threshold) Parameters(int channels) =>
        (Samples.Gaussian(5, channels), Samples.Gaussian(6, channels), Array.ConvertAll(Samples.Gaussian(7, channels), v => 0.3f * v));

    private float[][] Run(int[] shape, float[] x, float[] dy, float[]? scale, float[]? shift, float[]? threshold) => RunOnDevice(device =>
    {
        int channels = shape[^1];
        using Tensor<float> input = device.Upload<float>(x, shape), outputGradient = device.Upload<float>(dy, shape);
        using Tensor<float>? a = Upload(scale), b = Upload(shift), t = Upload(threshold);
        using Tensor<float> inverse = device.Allocate<float>(shape[0], channels);
        Tensor<float> y = device.Allocate<float>(shape), dx = device.Allocate<float>(shape);
        Tensor<float> dScale = device.Allocate<float>(channels), dShift = device.Allocate<float>(channels), dThreshold = device.Allocate<float>(channels);
        device.Kernels.FilterResponseNormForward(Epsilon, input, a, b, t, inverse, y);
        device.Kernels.FilterResponseNormBackward(input, a, b, t, inverse, outputGradient, dx, scale == null ? null : dScale, shift == null ? null : dShift,
            threshold == null ? null : dThreshold);
        return [y, dx, dScale, dShift, dThreshold];

        Tensor<float>? Upload(float[]? values) => values == null ? null : device.Upload<float>(values);
    });
}
