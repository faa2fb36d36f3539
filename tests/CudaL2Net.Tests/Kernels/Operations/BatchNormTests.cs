using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class BatchNormTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference(
        [Values(2, 3, 33, 1300)] int rowsOfAHalf, [Values(1, 5, 32, 33, 130)] int channels, [Values(1, 2)] int halves, [Values] bool learned, [Values] bool relu)
    {
        var options = new BatchNormOptions(halves, 1e-5f, 0.1f, relu);
        float[] x = Array.ConvertAll(Samples.Gaussian(1, halves * rowsOfAHalf * channels), v => (3 * v) + 1), dy = Samples.Gaussian(2, x.Length);
        float[] scale = Samples.Gaussian(3, channels), shift = Samples.Gaussian(4, channels);
        float[] runningMean = Samples.Gaussian(5, channels), runningVariance = Array.ConvertAll(Samples.Gaussian(6, channels), v => v * v);
        float[][] result = Run(options, x, channels, learned ? scale : null, learned ? shift : null, runningMean, runningVariance, dy);

        double[] wide = Samples.Widen(x), mean = Samples.Widen(runningMean), variance = Samples.Widen(runningVariance);
        double[]? wideScale = learned ? Samples.Widen(scale) : null, wideShift = learned ? Samples.Widen(shift) : null;
        AssertClose(result[0], Plain.BatchNorm(options, wide, channels, wideScale, wideShift, mean, variance), 5e-6);
        AssertClose(result[1], mean, 2e-6);
        AssertClose(result[2], variance, 2e-6);
        (double[] dx, double[] dScale, double[] dShift) = Plain.BatchNormGradient(options, wide, channels, wideScale, wideShift, Samples.Widen(dy));

        // With two rows x-hat is 1 or -1 whatever x is: the terms of dx, of size 1 / deviation, cancel.
        double scaleOfTerms = rowsOfAHalf == 2 ? 100 : dx.Max(Math.Abs);
        AssertWithin(result[3], dx, _ => 1e-5 * scaleOfTerms);

        if (learned)
        {
            AssertClose(result[4], dScale);
            AssertClose(result[5], dShift);
        }
    }

    [Test]
    public void TheReferenceGradientsAreTheFiniteDifferences([Values(1, 2)] int halves, [Values] bool learned, [Values] bool relu)
    {
        var options = new BatchNormOptions(halves, 1e-3f, 0.1f, relu);
        double[] x = Samples.Widen(Samples.Gaussian(1, halves * 6 * 3)), dy = Samples.Widen(Samples.Gaussian(2, x.Length));
        double[]? scale = learned ? [0.5, -1.5, 2] : null, shift = learned ? [0.3, 0.1, -0.2] : null;
        (double[] dx, double[] dScale, double[] dShift) = Plain.BatchNormGradient(options, x, 3, scale, shift, dy);
        double Loss(double[] input, double[]? factor, double[]? offset) =>
            FiniteDifferences.Dot(dy, Plain.BatchNorm(options, input, 3, factor, offset, new double[3], new double[3]));
        FiniteDifferences.Check(v => Loss(v, scale, shift), x, dx);
        if (learned)
        {
            FiniteDifferences.Check(v => Loss(x, v, shift), scale!, dScale);
            FiniteDifferences.Check(v => Loss(x, scale, v), shift!, dShift);
        }
    }

    [Test]
    public void WorkedOutByHand()
    {
        // First half: 1, 3: mean 2, variance 1 (unbiased 2); second half: 10, 14: mean 12, variance 4 (unbiased 8). epsilon 0: y = -1, 1, -1, 1.
        // Running mean from 0, momentum 0.5: 1, then 1 + 0.5 (12 - 1) = 6.5; variance from 1: 1.5, then 1.5 + 0.5 (8 - 1.5) = 4.75.
        float[][] result = Run(new BatchNormOptions(2, 0, 0.5f, false), [1, 3, 10, 14], 1, null, null, [0], [1], [0, 0, 0, 0]);
        AssertClose(result[0], [-1, 1, -1, 1], 1e-6);
        AssertClose(result[1], [6.5], 1e-6);
        AssertClose(result[2], [4.75], 1e-6);
    }

    [Test]
    public void AConstantChannelGivesZerosAndFiniteGradients()
    {
        float[][] result = Run(
            new BatchNormOptions(1, 1e-5f, 0.1f, false), Enumerable.Repeat(7f, 40).ToArray(), 1, null, null, [0], [1], Samples.Gaussian(1, 40));
        Assert.That(result[0], Is.All.Zero);
        Assert.That(result[3], Is.All.Matches<float>(float.IsFinite));
    }

    [Test]
    public void ALargeMeanDoesNotCostDigits()
    {
        // Mean 1000, deviation 1: E[x^2] - E[x]^2 in float32 would leave a variance with no correct digit.
        float[] x = Array.ConvertAll(Samples.Gaussian(1, 5000), v => v + 1000);
        float[][] result = Run(new BatchNormOptions(1, 1e-5f, 0.1f, false), x, 1, null, null, [0], [1], new float[5000]);
        AssertClose(result[0], Plain.BatchNorm(new BatchNormOptions(1, 1e-5f, 0.1f, false), Samples.Widen(x), 1, null, null, [0], [1]), 3e-5);
    }

    [Test]
    public void TheGradientMayOverwriteItsInput()
    {
        var options = new BatchNormOptions(2, 1e-5f, 0.1f, true);
        float[] x = Samples.Gaussian(1, 40 * 33), dy = Samples.Gaussian(2, 40 * 33);
        float[] apart = Run(options, x, 33, null, null, new float[33], new float[33], dy)[3];
        float[] inPlace = Run(options, x, 33, null, null, new float[33], new float[33], dy, inPlace: true)[3];
        Assert.That(inPlace, Is.EqualTo(apart));
    }

    /// <summary>y, running mean, running variance, dx, dScale, dShift.</summary>
    private float[][] Run(
        BatchNormOptions options, float[] x, int channels, float[]? scale, float[]? shift, float[] runningMean, float[] runningVariance, float[] dy,
        bool inPlace = false) =>
        RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x, x.Length / channels, channels);
            using Tensor<float> outputGradient = device.Upload<float>(dy, x.Length / channels, channels);
            using Tensor<float>? factor = scale == null ? null : device.Upload<float>(scale), offset = shift == null ? null : device.Upload<float>(shift);
            using Tensor<float> mean = device.Allocate<float>(options.Halves, channels), inverse = device.Allocate<float>(options.Halves, channels);
            Tensor<float> movingMean = device.Upload<float>(runningMean), movingVariance = device.Upload<float>(runningVariance);
            Tensor<float> y = device.Upload<float>(dy, input.Shape), dx = device.Upload<float>(dy, input.Shape);
            Tensor<float> dScale = device.Upload<float>(runningMean), dShift = device.Upload<float>(runningMean);
            device.Kernels.BatchNormForward(options, input, factor, offset, mean, inverse, movingMean, movingVariance, y);
            device.Kernels.BatchNormBackward(
                options, input, factor, offset, mean, inverse, inPlace ? dx : outputGradient, dx, scale == null ? null : dScale, shift == null ? null : dShift);
            return [y, movingMean, movingVariance, dx, dScale, dShift];
        });
}
