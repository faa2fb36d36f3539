using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Matching;

public sealed class RocCurveTests
{
    [Test]
    public void SeparatedPairsGiveAPerfectCurve()
    {
        RocCurve curve = RocCurve.FromDistances([0.1f, 0.9f, 0.2f, 0.8f], [true, false, true, false]);
        Assert.That((curve.Fpr95, curve.Auc, curve.AveragePrecision), Is.EqualTo((0.0, 1.0, 1.0)));
        Assert.That((curve.Matches, curve.NonMatches), Is.EqualTo((2L, 2L)));
    }

    [Test]
    public void TurnedRoundAllIsWrong()
    {
        RocCurve curve = RocCurve.FromDistances([0.9f, 0.1f, 0.8f, 0.2f], [true, false, true, false]);
        Assert.That((curve.Fpr95, curve.Auc), Is.EqualTo((1.0, 0.0)));
    }

    // 20 matches at distances 1..20; 95% of 20 is 19, reached at distance 19. Non-matches at 0.5, 18.5, 19 (a tie that stands before the match), 19 (a tie that
    // stands after it), 25: before the position are 0.5, 18.5 and the first tie: 3 of 5. Dividing by the accepted pairs would give 3/22.
    [Test]
    public void Fpr95CountsNonMatchesStrictlyBeforeInAStableSort()
    {
        float[] distances = [0.5f, 18.5f, 19, .. Enumerable.Range(1, 20), 19, 25];
        bool[] matches = [false, false, false, .. Enumerable.Repeat(true, 20), false, false];
        Assert.That(RocCurve.FromDistances(distances, matches).Fpr95, Is.EqualTo(0.6));
    }

    [Test]
    public void EqualsAPlainSecondImplementation([Values(33, 400, 1025)] int count, [Values(4, 50, 100000)] int levels)
    {
        (float[] distances, bool[] matches) = RankedRetrievalTests.RandomPairs(count, levels);
        RocCurve curve = RocCurve.FromDistances(distances, matches);
        float[] positives = [.. distances.Where((_, i) => matches[i])];
        float[] negatives = [.. distances.Where((_, i) => !matches[i])];

        double auc = positives.Sum(p => negatives.Sum(n => p < n ? 1.0 : p == n ? 0.5 : 0)) / positives.Length / negatives.Length;
        Assert.That(curve.Auc, Is.EqualTo(auc).Within(1e-12));

        int[] order = [.. Enumerable.Range(0, count).OrderBy(i => distances[i])];
        int position = Enumerable.Range(0, count).First(k => order.Take(k + 1).Count(i => matches[i]) >= 0.95 * positives.Length);
        Assert.That(curve.Fpr95, Is.EqualTo((double)order.Take(position).Count(i => !matches[i]) / negatives.Length).Within(1e-15));

        Assert.That(curve.Points, Has.Count.EqualTo(distances.Distinct().Count() + 1));
        foreach (RocPoint point in curve.Points.Skip(1))
        {
            int truePositives = positives.Count(d => d <= point.Distance), falsePositives = negatives.Count(d => d <= point.Distance);
            Assert.That(point.Recall, Is.EqualTo((double)truePositives / positives.Length));
            Assert.That(point.FalsePositiveRate, Is.EqualTo((double)falsePositives / negatives.Length));
            Assert.That(point.Precision, Is.EqualTo((double)truePositives / (truePositives + falsePositives)));
        }

        Assert.That(curve.AveragePrecision, Is.EqualTo(RankedRetrieval.AveragePrecisionOf(distances, matches, positives.Length, AveragePrecision.Trapezoid)));
    }

    [Test]
    public void ChanceGivesHalf()
    {
        var random = new PhiloxStream(3, DrawPurpose.Evaluation, 0);
        var distances = new float[20000];
        var matches = new bool[distances.Length];
        for (int i = 0; i < distances.Length; i++)
        {
            distances[i] = random.NextSingle();
            matches[i] = random.Next(2) == 0;
        }

        RocCurve curve = RocCurve.FromDistances(distances, matches);
        Assert.That(curve.Auc, Is.EqualTo(0.5).Within(0.02));
        Assert.That(curve.Fpr95, Is.EqualTo(0.95).Within(0.02));
        Assert.That(curve.AveragePrecision, Is.EqualTo(0.5).Within(0.02));
    }

    [Test]
    public void RefusesWhatHasNoCurve()
    {
        Assert.That(() => RocCurve.FromDistances([1, 2], [true, true]), Throws.ArgumentException.With.Message.Contains("2 and 0"));
        Assert.That(() => RocCurve.FromDistances([1, 2], [true]), Throws.ArgumentException);
        Assert.That(() => RocCurve.FromDistances([1, float.NaN], [true, false]), Throws.ArgumentException);
    }
}
