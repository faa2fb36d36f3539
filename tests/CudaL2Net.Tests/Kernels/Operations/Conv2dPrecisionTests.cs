using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// Convolutions on tensor cores. Operands with no more bits than the format give what float32 gives; of others each is rounded by half a unit of the last bit,
/// so that a sum is off by 2 u times the sum of the magnitudes of its products, u = 2^-11 for tf32 and 2^-8 for bf16.
/// </summary>
[TestFixture(Precision.Tf32, Category = "Cuda")]
[TestFixture(Precision.Bf16, Category = "Cuda")]
public sealed class Conv2dPrecisionTests(Precision precision)
{
    private static readonly Conv2dGeometry[] Geometries =
    [
        new(1, 32, 6, 1, 32, 3, 3, 1, 1),
        new(1, 9, 11, 32, 32, 3, 3, 1, 1),
        new(2, 10, 7, 32, 64, 3, 3, 2, 1),
        new(1, 8, 8, 64, 128, 3, 3, 2, 1),
        new(1, 8, 8, 128, 128, 3, 3, 1, 1),
        new(5, 8, 8, 128, 128, 8, 8, 1, 0),
        new(3, 5, 6, 5, 33, 2, 5, 3, 2),
        new(2, 5, 4, 36, 132, 3, 3, 1, 1),
        new(1, 41, 25, 3, 7, 1, 1, 1, 0),
        new(1, 3, 3, 1025, 34, 1, 1, 1, 0),
        new(3, 4, 2, 20, 1025, 1, 1, 2, 1),
        new(5, 7, 9, 33, 20, 3, 2, 3, 1),
    ];

    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [TestCaseSource(nameof(Geometries))]
    public void RoundedOperandsGiveWhatFloat32Gives(object geometry)
    {
        var g = (Conv2dGeometry)geometry;
        (float[] x, float[] filters, float[] dy) = Operands(g, Rounded);
        (float[] y, float[] dx, float[] dFilters, float[] dBias) = Run(g, x, filters, dy);
        (double[] expectedFilters, double[] expectedBias) = Plain.Conv2dBackwardFilter(g, Samples.Widen(x), Samples.Widen(dy));
        AssertClose(y, Plain.Conv2d(g, Samples.Widen(x), Samples.Widen(filters), null));
        AssertClose(dx, Plain.Conv2dBackwardData(g, Samples.Widen(dy), Samples.Widen(filters)));
        AssertClose(dFilters, expectedFilters);
        AssertClose(dBias, expectedBias);
    }

    [TestCaseSource(nameof(Geometries))]
    public void OtherOperandsAreRoundedByHalfAUnit(object geometry)
    {
        var g = (Conv2dGeometry)geometry;
        (float[] x, float[] filters, float[] dy) = Operands(g, v => v);
        (float[] y, float[] dx, float[] dFilters, _) = Run(g, x, filters, dy);
        double[] Magnitudes(float[] values) => Array.ConvertAll(values, v => (double)Math.Abs(v));
        AssertRounded(y, Plain.Conv2d(g, Samples.Widen(x), Samples.Widen(filters), null), Plain.Conv2d(g, Magnitudes(x), Magnitudes(filters), null));
        AssertRounded(dx, Plain.Conv2dBackwardData(g, Samples.Widen(dy), Samples.Widen(filters)),
            Plain.Conv2dBackwardData(g, Magnitudes(dy), Magnitudes(filters)));
        AssertRounded(dFilters, Plain.Conv2dBackwardFilter(g, Samples.Widen(x), Samples.Widen(dy)).Filters,
            Plain.Conv2dBackwardFilter(g, Magnitudes(x), Magnitudes(dy)).Filters);
    }

    [Test]
    public void RoundingIsToNearest()
    {
        // One product of one number with 1: the number as the device rounds it.
        float[] values = Samples.Gaussian(9, 64);
        var g = new Conv2dGeometry(64, 1, 1, 1, 1, 1, 1, 1, 0);
        Assert.That(Run(g, values, [1], values).Y, Is.EqualTo(Array.ConvertAll(values, Rounded)));
    }

    private void AssertRounded(float[] actual, double[] expected, double[] magnitudes)
    {
        double unit = precision == Precision.Tf32 ? 1.0 / 2048 : 1.0 / 256;
        AssertWithin(actual, expected, i => ((2 * unit) + (unit * unit) + 1e-5) * magnitudes[i]);

        // And rounding there is: float32 would be a hundred times closer. Filters of a few elements are bound by memory and stay float32.
        if (actual.Length <= 16 * 32)
        {
            return;
        }

        double error = 0, magnitude = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            error += Math.Abs(actual[i] - expected[i]);
            magnitude += magnitudes[i];
        }

        Assert.That(error, Is.GreaterThan(1e-3 * unit * magnitude));
    }

    private float Rounded(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value), dropped = precision == Precision.Tf32 ? 13 : 16;
        int half = 1 << (dropped - 1), tie = precision == Precision.Tf32 ? half : half - 1 + (bits >> dropped & 1);
        return BitConverter.Int32BitsToSingle((bits + tie) >> dropped << dropped);
    }

    private static (float[] X, float[] Filters, float[] Dy) Operands(Conv2dGeometry g, Converter<float, float> rounded) => (
        Array.ConvertAll(Samples.Gaussian(1, g.Batch * g.Height * g.Width * g.InChannels), rounded),
        Array.ConvertAll(Samples.Gaussian(2, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels), rounded),
        Array.ConvertAll(Samples.Gaussian(3, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels), rounded));

    private (float[] Y, float[] Dx, float[] DFilters, float[] DBias) Run(Conv2dGeometry g, float[] x, float[] filters, float[] dy)
    {
        using Device device = Device.Open("cuda", precision: precision);
        using Tensor<float> input = device.Upload<float>(x), bank = device.Upload<float>(filters), gradient = device.Upload<float>(dy);
        using Tensor<float> y = device.Allocate<float>(dy.Length), dx = device.Allocate<float>(x.Length), dFilters = device.Allocate<float>(filters.Length);
        using Tensor<float> dBias = device.Allocate<float>(g.OutChannels);
        device.Kernels.Conv2dForward(g, input, bank, null, y);
        device.Kernels.Conv2dBackwardData(g, gradient, bank, dx);
        device.Kernels.Conv2dBackwardFilter(g, input, gradient, dFilters, dBias);
        return (y.ToArray(), dx.ToArray(), dFilters.ToArray(), dBias.ToArray());
    }
}
