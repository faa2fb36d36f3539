using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Evaluation.Measures;

public sealed class W1bsScoreTests
{
    [Test]
    public void EqualsASlowSecondImplementation([Values(2, 40, 131)] int count, [Values(2, 12)] int noise)
    {
        var random = new Random(count + noise);
        float[][] a = [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, 9).Select(_ => (float)random.Next(10)).ToArray())];
        float[][] b = [.. a.Select(row => row.Select(value => value + random.Next(noise)).ToArray())];
        W1bsScore score = W1bsScore.Of(Set(a), Set(b));
        var answers = new List<(double Ratio, bool Right)>();
        for (int i = 0; i < count; i++)
        {
            (double Distance, int J)[] sorted = [.. b.Select((row, j) => (Math.Sqrt(row.Zip(a[i], (x, y) => ((double)x - y) * (x - y)).Sum()), j)).Order()];
            answers.Add((sorted[0].Distance / (sorted[1].Distance + 1e-12), sorted[0].J == i));
        }

        double largest = answers.Max(answer => answer.Ratio);
        double[] thresholds = [.. Enumerable.Range(0, 99).Select(t => t * (largest / 99)), largest];
        double area = 0;
        (double Wrong, double Recall) last = (0, 0);
        foreach (double threshold in thresholds)
        {
            bool[] accepted = [.. answers.Where(answer => answer.Ratio < threshold).Select(answer => answer.Right)];
            double precision = accepted.Length == 0 ? 1 : accepted.Count(right => right) / (double)accepted.Length;
            (double Wrong, double Recall) point = (1 - precision, accepted.Count(right => right) / (double)count);
            area += (point.Wrong - last.Wrong) * (point.Recall + last.Recall) / 2;
            last = point;
        }

        Assert.That(score.Mauc, Is.EqualTo(area).Within(1e-9));
        Assert.That(score.AveragePrecision, Is.EqualTo(PlainScores.StepAp(answers, count)).Within(1e-9));
        Assert.That((score.Rows, score.Right), Is.EqualTo((count, answers.Count(answer => answer.Right))));
    }

    [Test]
    public void APerfectDescriptorScoresZeroByTheOldRuleAndOneByAp()
    {
        DescriptorSet set = Set([.. Enumerable.Range(0, 30).Select(i => new float[] { i, i * i })]);
        Assert.That(W1bsScore.Of(set, set), Is.EqualTo(new W1bsScore(0, 1, 30, 30)));
    }

    [Test]
    public void AConstantDescriptorFindsTheFirstRowOnly()
    {
        // All distances are 0: every row takes row 0, all ratios are 0, none is below the largest.
        var set = DescriptorSet.FromBits(new byte[10], 8);
        Assert.That(W1bsScore.Of(set, set), Is.EqualTo(new W1bsScore(0, 0.1, 10, 1)));
    }

    [Test]
    public void WrongSetsAreRefused()
    {
        DescriptorSet one = Set([[1, 2]]), two = Set([[1, 2], [3, 4]]);
        Assert.That(() => W1bsScore.Of(one, one), Throws.ArgumentException.With.Message.Contains("at least 2"));
        Assert.That(() => W1bsScore.Of(two, one), Throws.ArgumentException.With.Message.Contains("same number"));
        Assert.That(() => W1bsScore.Of(two, Set([[1, 2], [3, float.NaN]])), Throws.ArgumentException.With.Message.Contains("not finite"));
    }

    private static DescriptorSet Set(float[][] rows) => DescriptorSet.FromValues([.. rows.SelectMany(row => row)], rows[0].Length);
}
