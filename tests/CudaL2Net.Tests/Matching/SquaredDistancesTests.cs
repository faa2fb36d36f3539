using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Matching;

public sealed class SquaredDistancesTests
{
    [Test]
    public void RowsAndPairsGiveTheVerySameNumbers([Values(1, 7, 8, 33, 128)] int dimension, [Values(1, 4, 11)] int count)
    {
        var random = new Random(dimension);
        float[] Values(int n) => [.. Enumerable.Range(0, n * dimension).Select(_ => (float)(random.NextDouble() - 0.5))];
        float[] a = Values(3), b = Values(count);
        var distances = new SquaredDistances(DescriptorSet.FromValues(a, dimension), DescriptorSet.FromValues(b, dimension));
        var row = new float[count];
        for (int i = 0; i < 3; i++)
        {
            distances.Row(i, row);
            for (int j = 0; j < count; j++)
            {
                double expected = Enumerable.Range(0, dimension).Sum(k => Math.Pow((double)a[(i * dimension) + k] - b[(j * dimension) + k], 2));
                Assert.That(row[j], Is.EqualTo(expected).Within(1e-5 * expected));
                Assert.That(distances.Pair(i, j), Is.EqualTo(row[j]), "bit for bit: ranks are counted with both");
            }
        }
    }

    [Test]
    public void BitsAreCounted()
    {
        var distances = new SquaredDistances(DescriptorSet.FromBits([0b1010_1010], 8), DescriptorSet.FromBits([0b1010_1010, 0, 0b0101_0101], 8));
        var row = new float[3];
        distances.Row(0, row);
        Assert.That(row, Is.EqualTo(new float[] { 0, 4, 8 }));
        Assert.That(distances.Pair(0, 2), Is.EqualTo(8));
    }

    [Test]
    public void NumbersThatAreNoneAreRefused()
    {
        var distances = new SquaredDistances(DescriptorSet.FromValues([1, 2], 1), DescriptorSet.FromValues([1, float.NaN], 1));
        Assert.That(() => distances.Row(1, new float[2]), Throws.ArgumentException.With.Message.Contains("descriptor 1 is not a number"));
        Assert.That(() => distances.Pair(0, 1), Throws.ArgumentException);
    }
}
