using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Matching;

public sealed class NearerTargetsTests
{
    [Test]
    public void CountsEqualThoseOfAllDistances(
        [Values(1, 33, 130)] int queryCount, [Values(1, 65, 1025)] int targetCount, [Values(3, 128)] int dimension, [Values] bool coarse)
    {
        var random = new Random(queryCount + targetCount);
        DescriptorSet queries = Draw(queryCount), targets = Draw(targetCount);
        Compare(queries, targets, random, (a, b) => Enumerable.Range(0, dimension).Sum(k =>
            Square((double)queries.Values![(a * dimension) + k] - targets.Values![(b * dimension) + k])));

        // Whole numbers give many equal distances.
        DescriptorSet Draw(int count) => DescriptorSet.FromValues(
            [.. Enumerable.Range(0, count * dimension).Select(_ => coarse ? random.Next(3) : random.NextSingle() - 0.5f)], dimension);
    }

    [Test]
    public void BitsAreCounted([Values(8, 72, 128)] int dimension)
    {
        var random = new Random(dimension);
        DescriptorSet queries = Draw(40), targets = Draw(300);
        Compare(queries, targets, random, (a, b) => Enumerable.Range(0, dimension).Count(k => Bit(queries, a, k) != Bit(targets, b, k)));

        static int Bit(DescriptorSet set, int row, int k) => (set.Bits![(row * set.Dimension / 8) + (k / 8)] >> (k % 8)) & 1;

        DescriptorSet Draw(int count)
        {
            byte[] bits = new byte[count * dimension / 8];
            random.NextBytes(bits);
            return DescriptorSet.FromBits(bits, dimension);
        }
    }

    // Rounding of tiles of products must not decide: all but the last bit of these distances agree.
    [Test]
    public void DistancesThatNearlyAgreeAreToldApart()
    {
        const int Dimension = 128, Count = 200;
        var random = new Random(3);
        float[] query = [.. Enumerable.Range(0, Dimension).Select(_ => 100 + random.NextSingle())];
        float[] values = [.. Enumerable.Range(0, Count).SelectMany(i => query.Select((value, k) => k == 5 ? value + 1 + (i * 1e-5f) : value + 1))];
        DescriptorSet queries = DescriptorSet.FromValues(query, Dimension), targets = DescriptorSet.FromValues(values, Dimension);
        Compare(queries, targets, random, (_, b) =>
            Enumerable.Range(0, Dimension).Sum(k => Square((double)query[k] - values[(b * Dimension) + k])), limitsFromTargets: true);
    }

    [Test]
    public void NothingToCountGivesZeros()
    {
        DescriptorSet none = DescriptorSet.FromValues([], 4), one = DescriptorSet.FromValues([1, 2, 3, 4], 4);
        Assert.That(NearerTargets.Count(none, one, [], 1, [], [0], [[1]]), Is.Empty);
        Assert.That(NearerTargets.Count(one, none, [9], 1, [0], [], [[0]]), Is.EqualTo(new[] { 0 }));
        Assert.That(() => NearerTargets.Count(one, one, [9, 9], 1, [0], [1], [[1]]), Throws.ArgumentException);
        Assert.That(() => NearerTargets.Count(one, one, [9], 1, [0], [1], [[1, 0]]), Throws.ArgumentException);
        Assert.That(() => NearerTargets.Count(one, DescriptorSet.FromBits([1], 8), [9], 1, [0], [1], [[1]]), Throws.ArgumentException);
    }

    private static double Square(double value) => value * value;

    private static void Compare(
        DescriptorSet queries, DescriptorSet targets, Random random, Func<int, int, double> measure, bool limitsFromTargets = false)
    {
        double[][] differences =
            [.. Enumerable.Range(0, queries.Count).Select(query => Enumerable.Range(0, targets.Count).Select(target => measure(query, target)).ToArray())];
        const int PerQuery = 4, Groups = 3;
        int[] queryGroups = [.. Enumerable.Range(0, queries.Count).Select(_ => random.Next(Groups))];
        int[] targetGroups = [.. Enumerable.Range(0, targets.Count).Select(_ => random.Next(Groups))];
        int[][] ends = [.. Enumerable.Range(0, Groups)
            .Select(_ => new[] { random.Next(targets.Count), random.Next(targets.Count), targets.Count }.Order().ToArray())];
        double[] limits = [.. from query in Enumerable.Range(0, queries.Count)
                              from k in Enumerable.Range(0, PerQuery)
                              select limitsFromTargets || k > 0 ? differences[query][random.Next(targets.Count)] : 1e9];
        int[] expected = [.. from query in Enumerable.Range(0, queries.Count)
                             from k in Enumerable.Range(0, PerQuery)
                             from end in ends[queryGroups[query]]
                             select Enumerable.Range(0, end).Count(target =>
                                 targetGroups[target] != queryGroups[query] && differences[query][target] < limits[(query * PerQuery) + k])];
        int[] found = NearerTargets.Count(queries, targets, limits, PerQuery, queryGroups, targetGroups, ends);
        Assert.That(found, Is.EqualTo(expected));
    }
}
