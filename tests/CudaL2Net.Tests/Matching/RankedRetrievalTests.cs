using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Matching;

public sealed class RankedRetrievalTests
{
    // right, wrong, right, wrong; P = 3.
    // Points (recall, precision): (0, 1) (1/3, 1) (1/3, 1/2) (2/3, 2/3) (2/3, 1/2).
    // Trapezoid: 1/3 (1 + 1)/2 + 1/3 (1/2 + 2/3)/2 = 1/3 + 7/36 = 19/36. Step: (1 + 2/3) / 3 = 5/9.
    [TestCase(AveragePrecision.Trapezoid, 19.0 / 36)]
    [TestCase(AveragePrecision.Step, 5.0 / 9)]
    public void AgreesWithACaseWorkedOutByHand(AveragePrecision definition, double expected) =>
        Assert.That(RankedRetrieval.AveragePrecisionOf([true, false, true, false], 3, definition), Is.EqualTo(expected).Within(1e-15));

    [Test]
    public void PerfectOrderGivesOneAndNothingFoundZero([Values] AveragePrecision definition)
    {
        Assert.That(RankedRetrieval.AveragePrecisionOf([true, true, true, false, false], 3, definition), Is.EqualTo(1));
        Assert.That(RankedRetrieval.AveragePrecisionOf([false, false], 2, definition), Is.Zero);
        Assert.That(RankedRetrieval.AveragePrecisionOf([], 0, definition), Is.Zero);
    }

    [Test]
    public void EqualsAPlainSecondImplementation([Values] AveragePrecision definition, [Values(1, 33, 1025)] int count, [Values(0, 5)] int missing)
    {
        (float[] distances, bool[] right) = RandomPairs(count, levels: 20);
        long positives = right.Count(label => label) + missing;
        double found = RankedRetrieval.AveragePrecisionOf(distances, right, positives, definition);
        Assert.That(found, Is.EqualTo(Slow(distances, right, positives, definition)).Within(1e-12));
    }

    [Test]
    public void RankIsStableAndTakesAllFloats()
    {
        float[] values = [3, float.PositiveInfinity, -0f, 0f, -2, 3, float.NegativeInfinity, 1e-45f, -2];
        int[] expected = [.. Enumerable.Range(0, values.Length).OrderBy(i => values[i])];
        Assert.That(RankedRetrieval.Rank(values), Is.EqualTo(expected));
    }

    [Test]
    public void RefusesNonsense()
    {
        Assert.That(() => RankedRetrieval.Rank([1, float.NaN]), Throws.ArgumentException.With.Message.Contains("distance 1"));
        Assert.That(() => RankedRetrieval.AveragePrecisionOf([true, true], 1, AveragePrecision.Step), Throws.ArgumentException);
        Assert.That(() => RankedRetrieval.AveragePrecisionOf([1f], [true, false], 1, AveragePrecision.Step), Throws.ArgumentException);
    }

    internal static (float[] Distances, bool[] Labels) RandomPairs(int count, int levels)
    {
        var random = new PhiloxStream(7, DrawPurpose.Evaluation, (uint)count);
        var distances = new float[count];
        var labels = new bool[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = i == 0 || random.Next(3) == 0;
            distances[i] = random.Next(levels) + (labels[i] ? 0 : levels / 4);
        }

        return (distances, labels);
    }

    private static double Slow(float[] distances, bool[] right, long positives, AveragePrecision definition)
    {
        bool[] ranked = [.. Enumerable.Range(0, distances.Length).OrderBy(i => distances[i]).Select(i => right[i])];
        var curve = new List<(double Recall, double Precision)> { (0, 1) };
        for (int k = 1; k <= ranked.Length; k++)
        {
            int found = ranked.Take(k).Count(label => label);
            curve.Add(((double)found / positives, (double)found / k));
        }

        return definition == AveragePrecision.Trapezoid
            ? curve.Zip(curve.Skip(1), (a, b) => (b.Recall - a.Recall) * (a.Precision + b.Precision) / 2).Sum()
            : Enumerable.Range(0, ranked.Length).Where(k => ranked[k]).Sum(k => curve[k + 1].Precision) / positives;
    }
}
