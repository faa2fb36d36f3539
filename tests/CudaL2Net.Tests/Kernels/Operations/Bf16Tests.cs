using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;
using static CudaL2Net.Tests.Reference.StoredActivation;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>Passes over numbers stored as bf16 against double references of the same stored numbers: what is rounded is the result alone.</summary>
[Category("Cuda")]
public sealed unsafe class Bf16Tests
{
    // Half a unit of the last of 8 bits, and a little for the arithmetic before it.
    private const double Rounding = 1.02 / 256;

    // Batch, halves, side of the images and channels: one row and many, channels that do not divide a block's threads or exceed its own, L2-Net's.
    private static readonly object[] Shapes =
    [
        new object[] { 1, 1, 1, 8 },
        new object[] { 6, 2, 1, 24 },
        new object[] { 3, 1, 5, 264 },
        new object[] { 2, 2, 19, 40 },
        new object[] { 66, 2, 6, 136 },
        new object[] { 6, 2, 32, 32 },
        new object[] { 6, 2, 16, 64 },
        new object[] { 10, 2, 8, 128 },
        new object[] { 130, 2, 1, 128 },
    ];

    /// <summary>Skips the tests where there is no CUDA device.</summary>
    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    /// <summary>Lets go of the tensors of a test.</summary>
    [TearDown]
    public void LetGo() => StoredActivation.LetGo();

    [TestCaseSource(nameof(Shapes))]
    public void StatisticsMatchTheReference(int batch, int halves, int side, int channels)
    {
        // A mean of five deviations costs no digits.
        double[] x = Array.ConvertAll(Samples.Gaussian(1, batch * side * side * channels), v => Rounded(v + 5));
        float[] bias = Samples.Gaussian(2, channels);
        var options = new BatchNormOptions(halves, 1e-3f, 0.1f, Relu: true);
        foreach (bool biased in new[] { false, true })
        {
            using CudaDevice device = Open();
            Tensor<ushort> stored = Bits(device, x);
            Tensor<float> mean = Allocate<float>(device, halves, channels), inverse = Allocate<float>(device, halves, channels);
            Tensor<float> runningMean = Allocate<float>(device, channels), runningVariance = Allocate<float>(device, channels);
            device.BatchStatistics(options, stored, biased ? Upload<float>(device, bias) : null, mean, inverse, runningMean, runningVariance);
            double[] expected = [.. x.Select((v, i) => biased ? Rounded((float)v + bias[i % channels]) : v)];
            Assert.That(stored.ToArray(), Is.EqualTo(Array.ConvertAll(expected, Bf16)));
            AssertStatistics(options, expected, channels, mean, inverse, runningMean, runningVariance, 1e-5);
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void NormalizingMatchesTheReference(int batch, int halves, int side, int channels)
    {
        foreach (bool both in new[] { false, true })
        {
            var activation = new StoredActivation(10, batch, halves, side, channels, Learned: both, Relu: !both);
            using CudaDevice device = Open();
            Bf16Activation stored = activation.Upload(device, new double[2 * halves * channels]);
            Tensor<ushort> y = Allocate<ushort>(device, batch, side, side, channels);
            device.Normalize(stored.X, stored.Normalization, y);
            AssertClose(Widen(y), activation.Normalized(), Rounding);
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void GradientsMatchTheReference(int batch, int halves, int side, int channels)
    {
        foreach (bool both in new[] { false, true })
        {
            var activation = new StoredActivation(10, batch, halves, side, channels, Learned: !both, Relu: both);
            double[] gradient = RoundedSamples(30, activation.Length), sums = activation.Sums(gradient);
            using CudaDevice device = Open();
            Bf16Activation stored = activation.Upload(device, new double[sums.Length]);
            Tensor<ushort> g = Bits(device, gradient), dx = Allocate<ushort>(device, gradient.Length);
            device.NormalizationSums(stored, g);
            AssertClose(stored.Sums.ToArray(), sums);
            device.NormalizationGradient(stored, g.Pointer, dx.Pointer);
            AssertClose(Widen(dx), activation.Finished(gradient, sums), Rounding);
            device.NormalizationGradient(stored, g.Pointer, g.Pointer);
            Assert.That(g.ToArray(), Is.EqualTo(dx.ToArray()), "in place");
        }
    }

    [TestCase(1)]
    [TestCase(8)]
    [TestCase(33)]
    [TestCase(100_007)]
    public void RoundingIsToTheNearestAndBack(int count)
    {
        float[] values = Samples.Gaussian(1, count);

        // Half way between two numbers, the even one.
        values[0] = 1 + (1f / 256);
        using CudaDevice device = Open();
        Tensor<ushort> rounded = Allocate<ushort>(device, count);
        Tensor<float> widened = Allocate<float>(device, count);
        device.Round(Upload<float>(device, values).Pointer, rounded.Pointer, count);
        device.Widen(rounded.Pointer, widened.Pointer, count);
        Assert.That(rounded.ToArray(), Is.EqualTo(Array.ConvertAll(values, v => Bf16(v))));
        Assert.That(widened.ToArray(), Is.EqualTo(Array.ConvertAll(values, v => (float)Rounded(v))));
        Assert.That(widened.ToArray()[0], Is.EqualTo(1f));
    }

    [Test]
    public void ChannelsAreAMultipleOfEight()
    {
        var activation = new StoredActivation(10, 2, 1, 2, 12, Learned: false, Relu: true);
        using CudaDevice device = Open();
        Bf16Activation stored = activation.Upload(device, new double[24]);
        Assert.That(() => device.Normalize(stored.X, stored.Normalization, Allocate<ushort>(device, activation.Length)),
            Throws.ArgumentException.With.Message.Contains("multiple of 8 channels"));
    }

    private static CudaDevice Open() => new(0, Precision.Bf16);
}
