using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class SubtractiveNormTests(string device) : OperationTests(device)
{
    [TestCase(2, 29, 29, 32, 5)]
    [TestCase(3, 8, 8, 64, 5)]
    [TestCase(1, 3, 4, 5, 5)]
    [TestCase(2, 5, 7, 1, 3)]
    [TestCase(2, 1, 1, 13, 3)]
    [TestCase(1, 2, 9, 33, 7)]
    [TestCase(2, 4, 3, 3, 1)]
    public void MatchesTheReference(int batch, int height, int width, int channels, int kernel)
    {
        int length = batch * height * width * channels;
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, length), weights = Uneven(kernel);
        float[][] result = Run([batch, height, width, channels], kernel, weights, x, dy);
        double[] wide = Samples.Widen(weights);
        AssertClose(result[0], Plain.SubtractiveNorm(height, width, channels, wide, Samples.Widen(x)), 2e-6);
        AssertClose(result[1], Plain.SubtractiveNormGradient(height, width, channels, wide, Samples.Widen(dy)), 2e-6);
    }

    [TestCase(3, 4, 2, 3)]
    [TestCase(2, 5, 1, 5)]
    public void TheReferenceGradientIsTheFiniteDifference(int height, int width, int channels, int kernel)
    {
        int length = height * width * channels;
        double[] x = Samples.Widen(Samples.Gaussian(3, length)), dy = Samples.Widen(Samples.Gaussian(4, length)), weights = Samples.Widen(Uneven(kernel));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.SubtractiveNorm(height, width, channels, weights, v)), x,
            Plain.SubtractiveNormGradient(height, width, channels, weights, dy));
    }

    [Test]
    public void AnEvenImageBecomesZero()
    {
        // Also at the borders, whose mean is that of what lies inside.
        var x = new float[6 * 5 * 7];
        Array.Fill(x, 3f);
        float[] y = Run([1, 6, 5, 7], 5, SubtractiveNorm.GaussianWeights(5), x, x)[0];
        Assert.That(y, Is.All.EqualTo(0).Within(1e-6));
    }

    [Test]
    public void TheScaleOfTheWeightsDoesNotMatter()
    {
        float[] x = Samples.Gaussian(1, 4 * 4 * 3), weights = Uneven(3), doubled = Array.ConvertAll(weights, w => 4 * w);
        Assert.That(Run([1, 4, 4, 3], 3, doubled, x, x)[0], Is.EqualTo(Run([1, 4, 4, 3], 3, weights, x, x)[0]));
    }

    [Test]
    public void AnImageDoesNotDependOnItsBatch()
    {
        const int Length = 7 * 6 * 33;
        float[] x = Samples.Gaussian(1, 4 * Length), dy = Samples.Gaussian(2, 4 * Length), weights = Uneven(5);
        float[][] all = Run([4, 7, 6, 33], 5, weights, x, dy), one = Run([1, 7, 6, 33], 5, weights, x[(2 * Length)..(3 * Length)], dy[(2 * Length)..(3 * Length)]);
        Assert.That(one[0], Is.EqualTo(all[0][(2 * Length)..(3 * Length)]));
        Assert.That(one[1], Is.EqualTo(all[1][(2 * Length)..(3 * Length)]));
    }

    [Test]
    public void ItMayBeComputedInPlace()
    {
        float[] x = Samples.Gaussian(1, 2 * 5 * 5 * 9), weights = Uneven(3);
        float[][] apart = Run([2, 5, 5, 9], 3, weights, x, x), inPlace = RunOnDevice(device =>
        {
            using Tensor<float> kernel = device.Upload<float>(weights, 3, 3);
            Tensor<float> y = device.Upload<float>(x, 2, 5, 5, 9), dx = device.Upload<float>(x, 2, 5, 5, 9);
            device.Kernels.SubtractiveNormForward(y, kernel, y);
            device.Kernels.SubtractiveNormBackward(kernel, dx, dx);
            return [y, dx];
        });
        Assert.That(inPlace, Is.EqualTo(apart));
    }

    [Test]
    public void TheGaussianIsTorchs()
    {
        // image.gaussian(3): deviation 0.75 pixels.
        float[] weights = SubtractiveNorm.GaussianWeights(3);
        double side = Math.Exp(-1 / (2 * 0.75 * 0.75)), corner = side * side, sum = 1 + (4 * side) + (4 * corner);
        AssertClose(weights, [corner / sum, side / sum, corner / sum, side / sum, 1 / sum, side / sum, corner / sum, side / sum, corner / sum], 1e-6);
        Assert.That(() => SubtractiveNorm.GaussianWeights(4), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    /// <summary>Positive weights without any symmetry, so that a turned kernel would show.</summary>
    private static float[] Uneven(int kernel) => Array.ConvertAll(Samples.Gaussian(9, kernel * kernel), v => 0.5f + Math.Abs(v));

    private float[][] Run(int[] shape, int kernel, float[] weights, float[] x, float[] dy) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x, shape), outputGradient = device.Upload<float>(dy, shape);
        using Tensor<float> neighbourhood = device.Upload<float>(weights, kernel, kernel);
        Tensor<float> y = device.Allocate<float>(shape), dx = device.Allocate<float>(shape);
        device.Kernels.SubtractiveNormForward(input, neighbourhood, y);
        device.Kernels.SubtractiveNormBackward(neighbourhood, outputGradient, dx);
        return [y, dx];
    });
}
