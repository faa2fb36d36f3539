using CudaL2Net.Data;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Imaging.Sources.Scenes;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Sources;

public sealed class PairGeneratorTests
{
    private static readonly PairOptions Gentle = new()
    {
        LocalLightProbability = 0,
        Noise = 2,
        PositionErrorPerSize = 0.02,
        AngleError = 0.04,
        ScaleError = 0.04,
        PointsPerPicture = 120
    };

    [Test]
    public void MatchingPatchesCorrelateAndOthersDoNot()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints made = new PairGenerator(Gentle).Generate(scene, 1, 0);
        Assert.That(made.PatchesPerPoint, Has.Length.GreaterThan(60));
        List<double> matching = [], others = [];
        int first = 0;
        for (int i = 0; i < made.PatchesPerPoint.Length - 1; i++)
        {
            int next = first + made.PatchesPerPoint[i];
            matching.Add(Correlation(made.Pixels, first, first + 1));
            others.Add(Correlation(made.Pixels, first, next + 1));
            first = next;
        }

        Assert.That(Median(matching), Is.GreaterThan(0.8));
        Assert.That(Median(others), Is.LessThan(0.4));
    }

    [Test]
    public void TheSameSeedGivesTheSameBytesAndAnotherDoesNot()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(1);
        ImagePoints first = new PairGenerator(Gentle).Generate(scene, 1, 5), again = new PairGenerator(Gentle).Generate(scene, 1, 5);
        ImagePoints other = new PairGenerator(Gentle).Generate(scene, 2, 5);
        Assert.That(again.Pixels, Is.EqualTo(first.Pixels));
        Assert.That(again.PatchesPerPoint, Is.EqualTo(first.PatchesPerPoint));
        Assert.That(other.Pixels, Is.Not.EqualTo(first.Pixels));
    }

    [Test]
    public void PassesShareNoPoint()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(2);
        PairGenerator generator = new(Gentle with { PointsPerPicture = 40 });
        HashSet<string> seen = [];
        int passes = 0;
        for (; generator.Generate(scene, 1, 0, passes) is { PatchesPerPoint.Length: > 0 } made; passes++)
        {
            int first = 0;
            foreach (int patches in made.PatchesPerPoint)
            {
                Assert.That(seen.Add(Convert.ToBase64String(made.Pixels, first * PatchSet.Area, PatchSet.Area)), Is.True, $"pass {passes}");
                first += patches;
            }
        }

        Assert.That(passes, Is.GreaterThan(1));
    }

    [Test]
    public void NearUniformPointsAreSkippedAndCounted()
    {
        // Faint speckle has keypoints where it is enlarged, but hardly any contrast.
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints all = new PairGenerator(Gentle with { LeastDeviation = 0 }).Generate(scene, 1, 0);
        ImagePoints few = new PairGenerator(Gentle with { LeastDeviation = 25 }).Generate(scene, 1, 0);
        Assert.That(all.FlatPoints, Is.Zero);
        Assert.That(few.FlatPoints, Is.GreaterThan(0));
        Assert.That(few.PatchesPerPoint.Length + few.FlatPoints + few.LostPoints, Is.EqualTo(all.PatchesPerPoint.Length + all.LostPoints));
    }

    [Test]
    public void CentresAreTheMiddleAtTwiceTheScale()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints made = new PairGenerator(Gentle with { Parts = PatchParts.Centres }).Generate(scene, 1, 0);
        Assert.That(made.Centres, Has.Length.EqualTo(made.Pixels.Length));

        // The centre, reduced by 2, is the central 16 x 16 of the whole patch.
        for (int patch = 0; patch < 20; patch++)
        {
            ReadOnlySpan<byte> centre = made.Centres.AsSpan(patch * PatchSet.Area, PatchSet.Area),
                whole = made.Pixels.AsSpan(patch * PatchSet.Area, PatchSet.Area);
            for (int y = 0; y < 16; y++)
            {
                for (int x = 0; x < 16; x++)
                {
                    int corner = (64 * y) + (2 * x);
                    Assert.That((centre[corner] + centre[corner + 1] + centre[corner + 32] + centre[corner + 33] + 2) >> 2,
                        Is.EqualTo(whole[((y + 8) * 32) + x + 8]));
                }
            }
        }
    }

    [Test]
    public void LargePatchesReduceToThePixelsAndHoldTheCentres()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints made = new PairGenerator(Gentle with { Parts = PatchParts.Centres | PatchParts.Large }).Generate(scene, 1, 0);
        byte[] centres = new byte[made.Pixels.Length];
        PatchResize.CropCentre(made.Large, 64, centres);
        Assert.That(made.PatchesPerPoint, Is.Not.Empty);
        Assert.That(made.Centres, Is.EqualTo(centres));
        Assert.That(PatchResize.Reduce(made.Large, 64), Is.EqualTo(made.Pixels));
    }

    [Test]
    public void SlidTwinsFollowTheirPoints()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints plain = new PairGenerator(Gentle with { PointsPerPicture = 10_000 }).Generate(scene, 1, 0);
        ImagePoints twins = new PairGenerator(Gentle with { PointsPerPicture = 10_000, SlidTwins = 1 }).Generate(scene, 1, 0);
        Assert.That(twins.PatchesPerPoint.Length, Is.GreaterThan(1.5 * plain.PatchesPerPoint.Length));
    }

    [Test]
    public void TheDetectorsOwnKeypointsAreTakenWhereFoundAgain()
    {
        using Mat scene = new SceneRenderer(3, 320, 240).Render(0);
        ImagePoints none = new PairGenerator(Gentle with { DetectProbability = 0 }).Generate(scene, 1, 0);
        ImagePoints always = new PairGenerator(Gentle with { DetectProbability = 1 }).Generate(scene, 1, 0);
        Assert.That(none.Detected, Is.Zero);
        Assert.That(always.Detected, Is.GreaterThan(20));
    }

    [Test]
    public void OptionsOutOfRangeAreNamed()
    {
        Assert.That(() => new PairGenerator(new PairOptions { Copies = 0 }), Throws.ArgumentException.With.Message.Contains("Copies"));
        Assert.That(() => new PairGenerator(new PairOptions { Tilt = 0.5 }), Throws.ArgumentException.With.Message.Contains("Tilt"));
        Assert.That(() => new PairGenerator(new PairOptions { JpegProbability = 2 }), Throws.ArgumentException.With.Message.Contains("probability"));
        Assert.That(() => new PairGenerator(new PairOptions { Noise = double.NaN }), Throws.ArgumentException);
    }

    internal static double Correlation(byte[] pixels, int a, int b)
    {
        ReadOnlySpan<byte> p = pixels.AsSpan(a * PatchSet.Area, PatchSet.Area), q = pixels.AsSpan(b * PatchSet.Area, PatchSet.Area);
        double sp = 0, sq = 0, pp = 0, qq = 0, pq = 0;
        for (int i = 0; i < PatchSet.Area; i++)
        {
            (sp, sq, pp, qq, pq) = (sp + p[i], sq + q[i], pp + (p[i] * p[i]), qq + (q[i] * q[i]), pq + (p[i] * q[i]));
        }

        return (pq - (sp * sq / PatchSet.Area)) / Math.Sqrt((pp - (sp * sp / PatchSet.Area)) * (qq - (sq * sq / PatchSet.Area)) + 1e-9);
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }
}
