using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Tests.Imaging.Geometry;

public sealed class EllipseOverlapTests
{
    // The lens of two circles has a formula, and a linear map of the plane changes no ratio of areas.
    [Test]
    public void EqualsTheLensOfTwoCirclesUnderAnyLinearMap([Values(0.05, 0.5, 1, 1.7, 2.2)] double distance, [Values(0.5, 1, 1.3)] double radius)
    {
        double lens = Lens(1, radius, distance), expected = lens / (Math.PI + (Math.PI * radius * radius) - lens);
        var random = new Random(5);
        for (int i = 0; i < 40; i++)
        {
            double direction = 7 * random.NextDouble();
            Homography map = RandomMap(random);
            Ellipse a = Ellipse.Circle(0, 0, 1).Warped(map), b = Ellipse.Circle(distance * Math.Cos(direction), distance * Math.Sin(direction), radius).Warped(map);
            Assert.That(a.Overlap(b), Is.EqualTo(expected).Within(1e-9));
            Assert.That(b.Overlap(a), Is.EqualTo(expected).Within(1e-9));
        }
    }

    // Ellipses with half axes (p, q) and (q, p) about one centre cross four times and share 4 p q atan(q / p).
    [Test]
    public void EqualsTheCrossOfTwoEllipsesUnderAnyLinearMap([Values(1.01, 1.5, 4, 20)] double ratio)
    {
        double shared = 4 * Math.Atan(1 / ratio), expected = shared / ((2 * Math.PI) - shared);
        var random = new Random(6);
        for (int i = 0; i < 40; i++)
        {
            Homography map = RandomMap(random);
            double p = Math.Sqrt(ratio);
            Ellipse a = EllipseTests.Turned(0, 0, p, 1 / p, 0).Warped(map), b = EllipseTests.Turned(0, 0, p, 1 / p, 90).Warped(map);
            Assert.That(a.Overlap(b), Is.EqualTo(expected).Within(1e-9));
        }
    }

    [Test]
    public void EqualsClippedPolygonsForAnyEllipses()
    {
        var random = new Random(7);
        int partial = 0;
        for (int i = 0; i < 150; i++)
        {
            Ellipse a = RandomEllipse(random), b = RandomEllipse(random);
            double expected = PolygonOverlap(a, b, 720);
            Assert.That(a.Overlap(b), Is.EqualTo(expected).Within(2e-5), $"{a} {b}");
            partial += expected is > 0.01 and < 0.99 ? 1 : 0;
        }

        Assert.That(partial, Is.GreaterThan(60), "most pairs cross");
    }

    [Test]
    public void SpecialPositions()
    {
        Ellipse disc = Ellipse.Circle(100, 50, 10);
        Assert.Multiple(() =>
        {
            Assert.That(disc.Overlap(disc), Is.EqualTo(1).Within(1e-12), "the same");
            Assert.That(disc.Overlap(Ellipse.Circle(100, 50, 5)), Is.EqualTo(0.25).Within(1e-12), "one around the other, one centre");
            Assert.That(disc.Overlap(Ellipse.Circle(102, 51, 5)), Is.EqualTo(0.25).Within(1e-12), "one inside the other");
            Assert.That(Ellipse.Circle(102, 51, 5).Overlap(disc), Is.EqualTo(0.25).Within(1e-12), "and around it");
            Assert.That(disc.Overlap(Ellipse.Circle(105, 50, 5)), Is.EqualTo(0.25).Within(1e-7), "touching from inside");
            Assert.That(disc.Overlap(Ellipse.Circle(120, 50, 10)), Is.Zero.Within(1e-7), "touching from outside");
            Assert.That(disc.Overlap(Ellipse.Circle(500, 50, 10)), Is.Zero, "apart");
            Assert.That(disc.Overlap(EllipseTests.Turned(100, 50, 20, 10, 33)), Is.EqualTo(0.5).Within(1e-7), "touching twice from inside");
            Assert.That(disc.Overlap(Ellipse.Circle(100 + 1e-9, 50, 10)), Is.EqualTo(1).Within(1e-7), "nearly the same");
        });
    }

    // A slow way of its own: both outlines as polygons, one clipped by each edge of the other.
    internal static double PolygonOverlap(Ellipse a, Ellipse b, int corners)
    {
        List<(double X, double Y)> first = Polygon(a, corners), second = Polygon(b, corners), clipped = first;
        for (int i = 0; i < corners && clipped.Count > 0; i++)
        {
            (double px, double py) = second[i];
            (double qx, double qy) = second[(i + 1) % corners];
            double Side((double X, double Y) p) => ((qx - px) * (p.Y - py)) - ((qy - py) * (p.X - px));
            var next = new List<(double X, double Y)>();
            for (int k = 0; k < clipped.Count; k++)
            {
                (double X, double Y) from = clipped[k], to = clipped[(k + 1) % clipped.Count];
                double s = Side(from), e = Side(to);
                if (s >= 0)
                {
                    next.Add(from);
                }

                if (s >= 0 != e >= 0)
                {
                    next.Add((from.X + (s / (s - e) * (to.X - from.X)), from.Y + (s / (s - e) * (to.Y - from.Y))));
                }
            }

            clipped = next;
        }

        double shared = Area(clipped);
        return shared / (Area(first) + Area(second) - shared);
    }

    // Corners on an ellipse so much larger that the polygon has the ellipse's area.
    private static List<(double X, double Y)> Polygon(Ellipse ellipse, int corners)
    {
        double step = 2 * Math.PI / corners, grow = Math.Sqrt(step / Math.Sin(step));
        (double xx, double xy, double yy) = ellipse.FromUnitDisc;
        return [.. Enumerable.Range(0, corners).Select(i => (
            ellipse.X + (grow * ((xx * Math.Cos(i * step)) + (xy * Math.Sin(i * step)))),
            ellipse.Y + (grow * ((xy * Math.Cos(i * step)) + (yy * Math.Sin(i * step))))))];
    }

    private static double Area(List<(double X, double Y)> polygon) => polygon.Count == 0 ? 0 : Enumerable.Range(0, polygon.Count)
        .Sum(i => ((polygon[i].X - polygon[0].X) * (polygon[(i + 1) % polygon.Count].Y - polygon[0].Y))
            - ((polygon[(i + 1) % polygon.Count].X - polygon[0].X) * (polygon[i].Y - polygon[0].Y))) / 2;

    private static double Lens(double r, double s, double d) => d >= r + s ? 0 : d <= Math.Abs(r - s) ? Math.PI * Math.Min(r, s) * Math.Min(r, s)
        : (r * r * Math.Acos(((d * d) + (r * r) - (s * s)) / (2 * d * r))) + (s * s * Math.Acos(((d * d) + (s * s) - (r * r)) / (2 * d * s)))
            - (0.5 * Math.Sqrt((-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s)));

    private static Homography RandomMap(Random random)
    {
        double turn = 7 * random.NextDouble(), stretch = 1 + (4 * random.NextDouble()), shear = random.NextDouble() - 0.5, size = 0.3 + (20 * random.NextDouble());
        double cos = Math.Cos(turn) * size, sin = Math.Sin(turn) * size;
        return new Homography(cos * stretch, (cos * shear) - sin, 800 * random.NextDouble(), sin * stretch, (sin * shear) + cos, 600 * random.NextDouble(), 0, 0, 1);
    }

    private static Ellipse RandomEllipse(Random random) => EllipseTests.Turned(
        10 * random.NextDouble(), 10 * random.NextDouble(), 3 + (9 * random.NextDouble()), 1 + (5 * random.NextDouble()), 180 * random.NextDouble());
}
