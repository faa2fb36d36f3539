using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class TanhTests(string device) : OperationTests(device)
{
    [TestCase(1)]
    [TestCase(33)]
    [TestCase(40001)]
    public void MatchesTheReference(int length)
    {
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, length);
        float[][] result = Run(x, dy);
        AssertClose(result[0], Plain.Tanh(Samples.Widen(x)), 4e-7);
        AssertClose(result[1], Plain.TanhGradient(Samples.Widen(x), Samples.Widen(dy)), 1e-6);
    }

    [Test]
    public void EveryResultIsWithinAFewUnitsOfTheLastPlace()
    {
        // From 1e-30 to 1e30, both signs, and closely around the seam at 0.55 and the bound at 10.
        List<float> x = [0, float.Epsilon, float.PositiveInfinity, float.NegativeInfinity, 0.55f, 10, -10];
        for (int i = 0; i < 1200; i++)
        {
            x.Add((i % 2 == 0 ? 1 : -1) * MathF.Pow(10, -30 + (0.05f * i)));
            x.Add(0.549f + (i * 2e-6f));
            x.Add(9.4f + (i * 1e-3f));
        }

        float[] y = Run([.. x], new float[x.Count])[0];
        for (int i = 0; i < y.Length; i++)
        {
            double expected = Math.Tanh(x[i]), unit = MathF.BitIncrement((float)Math.Abs(expected)) - (float)Math.Abs(expected);
            Assert.That((double)y[i], Is.EqualTo(expected).Within(2.6 * unit), $"tanh({x[i]})");
            Assert.That(float.IsNegative(y[i]), Is.EqualTo(float.IsNegative(x[i])), $"tanh({x[i]})");
        }
    }

    [Test]
    public void ANaNStays() => Assert.That(Run([float.NaN, 1, float.NaN], new float[3])[0].Select(float.IsNaN), Is.EqualTo(new[] { true, false, true }));

    [Test]
    public void AnElementHasTheSameBitsWhereverItLies()
    {
        float[] x = Samples.Gaussian(3, 67), y = Run(x, new float[67])[0];
        for (int start = 1; start < 20; start++)
        {
            Assert.That(Run(x[start..], new float[67 - start])[0], Is.EqualTo(y[start..]), $"from element {start}");
        }
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference()
    {
        double[] x = Samples.Widen(Samples.Gaussian(4, 20)), dy = Samples.Widen(Samples.Gaussian(5, 20));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Tanh(v)), x, Plain.TanhGradient(x, dy));
    }

    [Test]
    public void TheGradientMayBeComputedInPlace()
    {
        float[] x = Samples.Gaussian(1, 33), dy = Samples.Gaussian(2, 33), apart = Run(x, dy)[1];
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x), y = device.Allocate<float>(33);
            Tensor<float> gradient = device.Upload<float>(dy);
            device.Kernels.TanhForward(input, y);
            device.Kernels.TanhBackward(y, gradient, gradient);
            return [gradient];
        });
        Assert.That(result[0], Is.EqualTo(apart));
    }

    private float[][] Run(float[] x, float[] dy) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x), outputGradient = device.Upload<float>(dy);
        Tensor<float> y = device.Allocate<float>(x.Length), dx = device.Allocate<float>(x.Length);
        device.Kernels.TanhForward(input, y);
        device.Kernels.TanhBackward(y, outputGradient, dx);
        return [y, dx];
    });
}
