using CudaL2Net.Evaluation.Results;
using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Evaluation.Results;

public sealed class DescriptorStatisticsTests
{
    [Test]
    public void CorrelationAndBitMeansAreThoseOfPlainSums()
    {
        const int Count = 57, Dimension = 6;
        var random = new Random(3);
        float[] values = [.. Enumerable.Range(0, Count * Dimension).Select(i => (float)((random.NextDouble() - 0.4) * ((i % Dimension) + 1)))];
        for (int i = 0; i < Count; i++)
        {
            values[(i * Dimension) + 5] = (-2 * values[(i * Dimension) + 1]) + 3;
            values[(i * Dimension) + 4] = 0.25f;
        }

        var statistics = DescriptorStatistics.Measure("m", DescriptorSet.FromValues(values, Dimension));
        double total = 0;
        for (int a = 0; a < Dimension; a++)
        {
            Assert.That(statistics.BitMeans[a], Is.EqualTo(Column(a).Count(value => value > 0) / (double)Count).Within(1e-12));
            for (int b = 0; b < Dimension; b++)
            {
                double expected = Pearson(Column(a), Column(b));
                total += a == b ? 0 : Math.Abs(expected);
                Assert.That(statistics.Correlation[(a * Dimension) + b], Is.EqualTo(expected).Within(1e-9), $"{a}, {b}");
            }
        }

        Assert.That(statistics.Correlation[(1 * Dimension) + 5], Is.EqualTo(-1).Within(1e-6));
        Assert.That(statistics.MeanAbsoluteCorrelation, Is.EqualTo(total / 30).Within(1e-9));

        double[] Column(int d) => [.. Enumerable.Range(0, Count).Select(i => (double)values[(i * Dimension) + d])];
    }

    [Test]
    public void TheHistogramHoldsAllValuesOfUnitVectors()
    {
        float[] values = [3, 4, 30, -40, 0, 0];
        var statistics = DescriptorStatistics.Measure("m", DescriptorSet.FromValues(values, 2));
        Assert.That(statistics.ValueShares.Sum(), Is.EqualTo(1).Within(1e-12));
        Assert.That(statistics.LowestValue, Is.EqualTo(-0.8 - 0.16).Within(1e-6));
        Assert.That(statistics.HighestValue, Is.EqualTo(0.8 + 0.16).Within(1e-6));
    }

    [Test]
    public void BitsCountAsZeroAndOne()
    {
        var statistics = DescriptorStatistics.Measure("m", DescriptorSet.FromBits([0b1011, 0b0001, 0b1001, 0b0011], 8));
        Assert.That(statistics.BitMeans, Is.EqualTo(new[] { 1, 0.5, 0, 0.5, 0, 0, 0, 0 }));
        Assert.That(statistics.ValueShares, Is.Empty);
        Assert.That(statistics.Correlation[(1 * 8) + 3], Is.Zero.Within(1e-12));
        Assert.That(statistics.Correlation[0], Is.Zero, "a constant bit");
    }

    [Test]
    public void OneDescriptorGivesNone() =>
        Assert.That(() => DescriptorStatistics.Measure("m", DescriptorSet.FromValues([1, 2], 2)), Throws.ArgumentException);

    private static double Pearson(double[] a, double[] b)
    {
        double meanA = a.Average(), meanB = b.Average();
        double product = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        double scale = Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
        return scale < 1e-9 ? 0 : product / scale;
    }
}
