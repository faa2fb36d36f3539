using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Evaluation.Measures;

public sealed class RegionMatchingTests
{
    // Descriptors of few small whole numbers: exact in floats, and full of ties.
    [Test]
    public void EqualsASlowSecondImplementation([Values] MatchingStrategy strategy, [Values(3, 100)] int range, [Values(20, 131)] int count)
    {
        var random = new Random(count + range);
        Ellipse[] first = Discs(random, count), second = Discs(random, count + 9);
        var truth = RegionCorrespondences.Find(first, second, Homography.Identity);
        float[][] a = Rows(random, count, range), b = Rows(random, count + 9, range);
        foreach (RegionPair pair in truth.Pairs.Where((_, k) => k % 3 > 0))
        {
            b[pair.Second] = [.. a[pair.First].Select(value => value + random.Next(2))];
        }

        RegionMatchingScore found = new RegionMatching(Set(a), Set(b), truth).Score(strategy);
        (double expected, int right) = Slow(a, b, truth, strategy);
        Assert.That(found.AveragePrecision, Is.EqualTo(expected).Within(1e-9));
        Assert.That(found.Right, Is.EqualTo(right));
        Assert.That(found.AveragePrecision, Is.InRange(0.005, 0.999));
    }

    [Test]
    public void TheRightDescriptorsScoreOneAndAConstantOneByOrder()
    {
        Ellipse[] regions = [.. Enumerable.Range(0, 30).Select(i => Ellipse.Circle(100 * i, 0, 5))];
        var truth = RegionCorrespondences.Find(regions, regions, Homography.Identity);
        DescriptorSet perfect = Set([.. Enumerable.Range(0, 30).Select(i => new float[] { i, 0 })]);
        DescriptorSet constant = Set([.. Enumerable.Range(0, 30).Select(_ => new float[] { 1, 1 })]);
        foreach (MatchingStrategy strategy in Enum.GetValues<MatchingStrategy>())
        {
            Assert.That(new RegionMatching(perfect, perfect, truth).Score(strategy).AveragePrecision, Is.EqualTo(1).Within(1e-12), $"{strategy}");
        }

        // All pairs tie and go by index: one-to-one they are all right; among all pairs, right pair i is number 31 i + 1 of 900.
        Assert.That(new RegionMatching(constant, constant, truth).Score(MatchingStrategy.NearestNeighbour).AveragePrecision, Is.EqualTo(1).Within(1e-12));
        Assert.That(
            new RegionMatching(constant, constant, truth).Score(MatchingStrategy.Threshold).AveragePrecision,
            Is.EqualTo(Enumerable.Range(0, 30).Average(i => (i + 1) / ((31.0 * i) + 1))).Within(1e-12));
    }

    [Test]
    public void RandomDescriptorsScoreNearChance()
    {
        Ellipse[] regions = [.. Enumerable.Range(0, 200).Select(i => Ellipse.Circle(100 * i, 0, 5))];
        var truth = RegionCorrespondences.Find(regions, regions, Homography.Identity);
        var random = new Random(1);
        DescriptorSet a = Set(Rows(random, 200, 1000)), b = Set(Rows(random, 200, 1000));
        foreach (MatchingStrategy strategy in Enum.GetValues<MatchingStrategy>())
        {
            Assert.That(new RegionMatching(a, b, truth).Score(strategy).AveragePrecision, Is.LessThan(0.03), $"{strategy}");
        }
    }

    [Test]
    public void BitsAreComparedByTheirNumberOfDifferences()
    {
        Ellipse[] regions = [Ellipse.Circle(0, 0, 5), Ellipse.Circle(100, 0, 5)];
        var truth = RegionCorrespondences.Find(regions, regions, Homography.Identity);
        var first = DescriptorSet.FromBits([0b0000_1111, 0b1111_0000], 8);
        var second = DescriptorSet.FromBits([0b0000_1110, 0b1111_0001], 8);
        RegionMatchingScore score = new RegionMatching(first, second, truth).Score(MatchingStrategy.Ratio);
        Assert.That(score, Is.EqualTo(new RegionMatchingScore(1, 2, 2, 2)));
    }

    [Test]
    public void NothingToFindHasNoScore()
    {
        var truth = RegionCorrespondences.Find([Ellipse.Circle(0, 0, 5)], [Ellipse.Circle(500, 0, 5)], Homography.Identity);
        DescriptorSet one = Set([[1, 2]]), none = Set([]);
        foreach (MatchingStrategy strategy in Enum.GetValues<MatchingStrategy>())
        {
            Assert.That(new RegionMatching(one, one, truth).Score(strategy), Is.EqualTo(new RegionMatchingScore(null, 0, 1, 0)));
            Assert.That(
                new RegionMatching(one, none, RegionCorrespondences.Find([Ellipse.Circle(0, 0, 5)], [], Homography.Identity)).Score(strategy),
                Is.EqualTo(new RegionMatchingScore(null, 0, 0, 0)));
        }
    }

    [Test]
    public void WrongDescriptorsAreRefused()
    {
        var truth = RegionCorrespondences.Find([Ellipse.Circle(0, 0, 5)], [Ellipse.Circle(0, 0, 5)], Homography.Identity);
        Assert.That(() => new RegionMatching(Set([[1, 2], [3, 4]]), Set([[1, 2]]), truth), Throws.ArgumentException.With.Message.Contains("2 and 1"));
        Assert.That(
            () => new RegionMatching(Set([[1, float.NaN]]), Set([[1, 2]]), truth).Score(MatchingStrategy.NearestNeighbour),
            Throws.InstanceOf<Exception>().With.Message.Contains("not a number"));
    }

    private static (double AveragePrecision, int Right) Slow(float[][] a, float[][] b, RegionCorrespondences truth, MatchingStrategy strategy)
    {
        double Distance(int i, int j) => a[i].Zip(b[j], (x, y) => (double)(x - y) * (x - y)).Sum();
        bool Corresponds((int I, int J) pair) => truth.Pairs.Any(known => known.First == pair.I && known.Second == pair.J);
        List<(int I, int J)> answers = [.. Enumerable.Range(0, a.Length).SelectMany(i => Enumerable.Range(0, b.Length).Select(j => (i, j)))];
        answers = [.. answers.OrderBy(pair => Distance(pair.I, pair.J))];
        int positives = truth.Pairs.Count;
        if (strategy != MatchingStrategy.Threshold)
        {
            var taken = new List<(int I, int J)>();
            foreach ((int I, int J) pair in answers)
            {
                if (taken.All(other => other.I != pair.I && other.J != pair.J))
                {
                    taken.Add(pair);
                }
            }

            double Ratio((int I, int J) pair)
            {
                double other = Enumerable.Range(0, b.Length).Where(j => j != pair.J).Min(j => Distance(pair.I, j)), distance = Distance(pair.I, pair.J);
                return distance == 0 && other == 0 ? 1 : distance / other;
            }

            answers = [.. taken.OrderBy(pair => strategy == MatchingStrategy.Ratio ? Ratio(pair) : Distance(pair.I, pair.J)).ThenBy(pair => pair.I)];
            positives = Math.Max(truth.OneToOne, answers.Count(Corresponds));
        }

        double sum = 0;
        int right = 0;
        for (int k = 0; k < answers.Count; k++)
        {
            if (Corresponds(answers[k]))
            {
                right++;
                sum += right / (k + 1.0);
            }
        }

        return (sum / positives, right);
    }

    private static Ellipse[] Discs(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Ellipse.Circle(random.Next(200), random.Next(200), 4 + random.Next(2)))];

    private static float[][] Rows(Random random, int count, int range) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, 21).Select(_ => (float)random.Next(range)).ToArray())];

    private static DescriptorSet Set(float[][] rows) => DescriptorSet.FromValues([.. rows.SelectMany(row => row)], rows.Length == 0 ? 2 : rows[0].Length);
}
