using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Imaging.Matching;

/// <summary>Compared with a plain search of all pairs that sorts them.</summary>
public sealed class KeypointMatcherTests
{
    private const int Dimension = 8;
    private const double Apart = 10;

    private static readonly DescriptorSet First = Random(60, 1), Second = Random(90, 2);
    private static readonly Keypoint[] Places = Scatter(90, 3);

    private Device device = null!;

    [OneTimeSetUp]
    public void OpenDevice() => device = Device.Open("cpu");

    [OneTimeTearDown]
    public void CloseDevice() => device.Dispose();

    [Test]
    public void MatchesAreThoseOfAPlainSearch([Values] bool mutual, [Values(1, 0.95)] double ratio, [Values(1, 3, 200)] int neighbours, [Values] bool inconsistent)
    {
        ImageMatchOptions options = Options(mutual, ratio, neighbours, inconsistent ? Apart : null);
        DescriptorMatch[] found = new KeypointMatcher(device).Match(First, Second, options, inconsistent ? Places : null), expected = Plain(options);
        Assert.That(found.Select(match => (match.Query, match.Target)), Is.EqualTo(expected.Select(match => (match.Query, match.Target))));
        Assert.That(found.Select(match => match.Distance), Is.EqualTo(expected.Select(match => match.Distance)).Within(1e-5));
        Assert.That(found.Select(match => match.SecondDistance), Is.EqualTo(expected.Select(match => match.SecondDistance)).Within(1e-5));
        Assert.That(neighbours > 100 || ratio < 1 || found.Length > 20, Is.True, "there is something to compare");
    }

    [Test]
    public void APlaceDetectedManyTimesDoesNotSpoilItsMatch()
    {
        // Fifty copies of the right keypoint at one place, all nearly as good: more than the search looks at first. The next other place is far worse.
        var values = new float[52 * Dimension];
        for (int i = 0; i < 51; i++)
        {
            values[(i * Dimension) + 1] = 0.001f * i;
        }

        values[(51 * Dimension) + 2] = 5;
        Keypoint[] places = [.. Enumerable.Range(0, 52).Select(i => new Keypoint(i < 51 ? 30 + (i % 5) : 90, 40, 5, 0, 0, 0))];
        DescriptorSet one = DescriptorSet.FromValues(new float[Dimension], Dimension), many = DescriptorSet.FromValues(values, Dimension);
        var matcher = new KeypointMatcher(device);
        DescriptorMatch match = matcher.Match(one, many, Options(true, 0.8, 1, Apart), places).Single();
        Assert.That(match.Target, Is.Zero);
        Assert.That(match.SecondDistance, Is.EqualTo(5).Within(1e-6));
        Assert.That(matcher.Match(one, many, Options(true, 0.8, 1, 1000), places).Single().SecondDistance, Is.EqualTo(float.PositiveInfinity), "nothing lies so far");
    }

    [Test]
    public void BitsAreMatchedToo()
    {
        DescriptorSet a = DescriptorSet.FromBits([0b1111, 0b110000], 8), b = DescriptorSet.FromBits([0b0111, 0b1110000, 0xff], 8);
        DescriptorMatch[] matches = new KeypointMatcher(device).Match(a, b, Options(false, 1, 2, null), null);
        Assert.That(matches, Is.EqualTo(new DescriptorMatch[] { new(0, 0, 1, 7), new(0, 2, 4, 7), new(1, 1, 1, 6), new(1, 0, 5, 6) }));
    }

    [Test]
    public void BadArgumentsAreRefused()
    {
        var matcher = new KeypointMatcher(device);
        Assert.Multiple(() =>
        {
            Assert.That(() => matcher.Match(First, Second, Options(true, 0.9, 0, null), null), Throws.ArgumentException.With.Message.Contains("at least 1 neighbour"));
            Assert.That(() => matcher.Match(First, Second, Options(true, 0, 1, null), null), Throws.ArgumentException.With.Message.Contains("ratio"));
            Assert.That(() => matcher.Match(First, Second, Options(true, 0.9, 1, 0), Places), Throws.ArgumentException.With.Message.Contains("inconsistent"));
            Assert.That(() => matcher.Match(First, Second, Options(true, 0.9, 1, 10), null), Throws.ArgumentException.With.Message.Contains("without the keypoints"));
            Assert.That(() => matcher.Match(First, Second, Options(true, 0.9, 1, 10), Places[..5]), Throws.ArgumentException.With.Message.Contains("5 keypoints and 90"));
            Assert.That(() => matcher.Match(First, Places, Second, Places, Options(true, 0.9, 1, 10)), Throws.ArgumentException.With.Message.Contains("first"));
            Assert.That(() => matcher.Match(First, DescriptorSet.FromBits([1], 8), Options(true, 0.9, 1, null), null), Throws.ArgumentException.With.Message.Contains("two kinds"));
        });
    }

    private static ImageMatchOptions Options(bool mutual, double ratio, int neighbours, double? apart) =>
        new() { Match = new MatchOptions(mutual, ratio), Neighbours = neighbours, InconsistentDistance = apart };

    private static DescriptorMatch[] Plain(ImageMatchOptions options)
    {
        int[][] forth = [.. Enumerable.Range(0, First.Count).Select(i => Ranked(Second.Count, j => First.Distance(i, Second, j)))];
        int[][] back = [.. Enumerable.Range(0, Second.Count).Select(j => Ranked(First.Count, i => First.Distance(i, Second, j)))];
        var matches = new List<DescriptorMatch>();
        for (int i = 0; i < First.Count; i++)
        {
            foreach (int j in forth[i].Take(options.Neighbours))
            {
                float next = forth[i].Skip(options.Neighbours).Where(other => options.InconsistentDistance is not { } apart
                    || Math.Sqrt(Math.Pow(Places[other].X - Places[j].X, 2) + Math.Pow(Places[other].Y - Places[j].Y, 2)) > apart)
                    .Select(other => First.Distance(i, Second, other)).DefaultIfEmpty(float.PositiveInfinity).First();
                float distance = First.Distance(i, Second, j);
                if ((!options.Match.Mutual || back[j].Take(options.Neighbours).Contains(i)) && (options.Match.Ratio >= 1 || distance < options.Match.Ratio * next))
                {
                    matches.Add(new DescriptorMatch(i, j, distance, next));
                }
            }
        }

        return [.. matches];
    }

    private static int[] Ranked(int count, Func<int, float> distance) => [.. Enumerable.Range(0, count).OrderBy(distance)];

    private static DescriptorSet Random(int count, ulong seed)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Evaluation, 0);
        return DescriptorSet.FromValues([.. Enumerable.Range(0, count * Dimension).Select(_ => draws.NextSingle())], Dimension);
    }

    // So close that many neighbours are within ten pixels.
    private static Keypoint[] Scatter(int count, ulong seed)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Evaluation, 0);
        return [.. Enumerable.Range(0, count).Select(_ => new Keypoint(draws.NextSingle() * 22, draws.NextSingle() * 22, 5, 0, 0, 0))];
    }
}
