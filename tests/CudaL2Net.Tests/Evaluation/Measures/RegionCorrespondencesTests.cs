using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Tests.Imaging.Geometry;

namespace CudaL2Net.Tests.Evaluation.Measures;

public sealed class RegionCorrespondencesTests
{
    private static readonly Homography Map = new(0.9, -0.25, 60, 0.2, 1.05, -30, 2e-4, 1e-4, 1);

    [Test]
    public void EqualsASlowSearchWithClippedPolygons()
    {
        (Ellipse[] first, Ellipse[] second) = Regions(40);
        var found = RegionCorrespondences.Find(first, second, Map);
        var expected = new List<(int First, int Second, double Overlap)>();
        for (int i = 0; i < first.Length; i++)
        {
            for (int j = 0; j < second.Length; j++)
            {
                Ellipse a = first[i].Scaled(3), b = second[j].Scaled(3).Warped(Map.Inverse());
                double overlap = Math.Abs(a.X - b.X) + Math.Abs(a.Y - b.Y) > 300 ? 0 : EllipseOverlapTests.PolygonOverlap(a, b, 360);
                Assert.That(Math.Abs(overlap - 0.5), Is.GreaterThan(1e-4), "the slow way cannot decide this pair: take other regions");
                if (overlap > 0.5)
                {
                    expected.Add((i, j, overlap));
                }
            }
        }

        Assert.That(found.Pairs.Select(pair => (pair.First, pair.Second)), Is.EquivalentTo(expected.Select(pair => (pair.First, pair.Second))));
        Assert.That(found.Pairs.Select(pair => pair.Overlap), Is.Ordered.Descending);
        Assert.That(expected, Has.Count.GreaterThan(40), "every region has its copy, some a second one");
        bool[] a1 = new bool[first.Length], b1 = new bool[second.Length];
        int positives = 0;
        foreach ((int i, int j, double _) in expected.OrderByDescending(pair => pair.Overlap))
        {
            positives += !a1[i] && !b1[j] ? 1 : 0;
            bool take = !a1[i] && !b1[j];
            a1[i] |= take;
            b1[j] |= take;
        }

        Assert.That(found.OneToOne, Is.EqualTo(positives));
    }

    [Test]
    public void RegionsAreMeasuredThreeTimesTheirSize()
    {
        // Discs of radius r at distance d overlap by more than a half up to d = 0.5293 r; the measured radius is 30.
        Assert.That(RegionCorrespondences.Find([Ellipse.Circle(50, 50, 10)], [Ellipse.Circle(65.8, 50, 10)], Homography.Identity).Pairs, Has.Count.EqualTo(1));
        Assert.That(RegionCorrespondences.Find([Ellipse.Circle(50, 50, 10)], [Ellipse.Circle(66.0, 50, 10)], Homography.Identity).Pairs, Is.Empty);
    }

    [Test]
    public void AHalfIsNotEnough()
    {
        // One centre, areas 2 : 1.
        double half = Math.Sqrt(0.5);
        Assert.That(RegionCorrespondences.Find([Ellipse.Circle(0, 0, 10)], [Ellipse.Circle(0, 0, 9.999 * half)], Homography.Identity).OneToOne, Is.Zero);
        Assert.That(RegionCorrespondences.Find([Ellipse.Circle(0, 0, 10)], [Ellipse.Circle(0, 0, 10.001 * half)], Homography.Identity).OneToOne, Is.EqualTo(1));
    }

    [Test]
    public void EqualOverlapsGoByIndexAndEachRegionCountsOnce()
    {
        Ellipse disc = Ellipse.Circle(10, 10, 5);
        var found = RegionCorrespondences.Find([disc, disc], [disc, disc, disc], Homography.Identity);
        Assert.That(found.Pairs.Select(pair => (pair.First, pair.Second)), Is.EqualTo(new[] { (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2) }));
        Assert.That(found.OneToOne, Is.EqualTo(2));
    }

    [Test]
    public void NoRegionsGiveNoCorrespondences()
    {
        var found = RegionCorrespondences.Find([], [Ellipse.Circle(0, 0, 1)], Homography.Identity);
        Assert.That((found.First, found.Second, found.Pairs.Count, found.OneToOne), Is.EqualTo((0, 1, 0, 0)));
    }

    [Test]
    public void WhatIsNoEllipseIsRefused() => Assert.That(
        () => RegionCorrespondences.Find([Ellipse.Circle(0, 0, 1), new Ellipse(0, 0, 1, 2, 1)], [], Homography.Identity),
        Throws.ArgumentException.With.Message.Contains("region 1"));

    private static (Ellipse[] First, Ellipse[] Second) Regions(int count)
    {
        var random = new Random(3);
        Ellipse[] first = [.. Enumerable.Range(0, count).Select(_ => EllipseTests.Turned(
            600 * random.NextDouble(), 400 * random.NextDouble(), 4 + (12 * random.NextDouble()), 3 + (4 * random.NextDouble()), 180 * random.NextDouble()))];
        Ellipse[] copies = [.. first.Concat(first.Take(count / 2)).Select(region => region.Warped(Map)).Select(region => region with
        {
            X = region.X + random.NextDouble() - 0.5,
            Y = region.Y + random.NextDouble() - 0.5,
            A = region.A * (0.85 + (0.3 * random.NextDouble())),
        })];
        return (first, copies);
    }
}
