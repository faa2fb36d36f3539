using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Tests.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Regions;

public sealed class RegionPatchesTests
{
    // x -> (100, 90) + J (x - (100, 90)): stretched, sheared and turned.
    private static readonly Homography Map = new(1.3, 0.5, 100 - (1.3 * 100) - (0.5 * 90), -0.4, 0.8, 90 + (0.4 * 100) - (0.8 * 90), 0, 0, 1);

    [TestCase(2.5)]
    [TestCase(9)]
    public void ADiscIsCutLikeAKeypoint(double radius)
    {
        using Mat image = TestImages.Speckle(160, 140, 4);
        byte[] keypoint = PatchCutter.Cut(image, [new Keypoint(70.3f, 65.8f, (float)radius, 33, 1, 0)], 6, 32);
        byte[] region = RegionPatches.Cut(image, [new OrientedRegion(Ellipse.Circle(70.3f, 65.8f, radius), 33)], 3, 32);
        Assert.That(region.Zip(keypoint, (a, b) => Math.Abs(a - b)).Max(), Is.LessThanOrEqualTo(1));
    }

    [Test]
    public void PatchesOfAnAffinelyWarpedImageAgree()
    {
        using Mat first = TestImages.Render(200, 180, TestImages.Waves), second = Warped();
        Ellipse a = EllipseTests.Turned(104, 86, 7, 4, 25), b = a.Warped(Map);
        byte[] patchA = RegionPatches.Cut(first, [new OrientedRegion(a, 40)], 3, 32);
        byte[] patchB = RegionPatches.Cut(second, [new OrientedRegion(b, TurnOf(a, b, 40))], 3, 32);
        Assert.That(Difference(patchA, patchB), Is.LessThan(1.5));
        Assert.That(Difference(patchA, RegionPatches.Cut(second, [new OrientedRegion(b, TurnOf(a, b, 40) + 20)], 3, 32)), Is.GreaterThan(8), "the angle matters");
    }

    [Test]
    public void OrientationsTurnWithTheImage()
    {
        using Mat first = TestImages.Render(200, 180, TestImages.Waves), second = Warped();
        Ellipse[] shapes = [EllipseTests.Turned(104, 86, 7, 4, 25), Ellipse.Circle(92, 95, 5), EllipseTests.Turned(110, 99, 5, 3, -70)];
        OrientedRegion[] a = RegionPatches.Orient(first, shapes), b = RegionPatches.Orient(second, [.. shapes.Select(shape => shape.Warped(Map))]);
        for (int i = 0; i < shapes.Length; i++)
        {
            double turn = Math.IEEERemainder(b[i].Angle - TurnOf(a[i].Shape, b[i].Shape, a[i].Angle), 360);
            Assert.That(turn, Is.Zero.Within(4), $"region {i}");
        }
    }

    [TestCase(0)]
    [TestCase(77)]
    [TestCase(201)]
    public void OrientationIsTheGradientsDirectionWithYDown(double degrees)
    {
        double cos = Math.Cos(degrees * Math.PI / 180), sin = Math.Sin(degrees * Math.PI / 180);
        using Mat slope = TestImages.Render(100, 100, (x, y) => 128 + (3.5 * (((x - 50) * cos) + ((y - 50) * sin))));
        double angle = RegionPatches.Orient(slope, [Ellipse.Circle(50, 50, 8)]).Single().Angle;
        Assert.That(Math.IEEERemainder(angle - degrees, 360), Is.Zero.Within(1.5));
    }

    [Test]
    public void AFlatPatchHasTheAngleZero()
    {
        using Mat flat = TestImages.Render(50, 50, (_, _) => 90);
        Assert.That(RegionPatches.Orient(flat, [Ellipse.Circle(25, 25, 4)]).Single().Angle, Is.Zero);
    }

    // Stripes of one pixel, across the long axis: twelve pixels a sample there, one and a half in the other direction.
    [Test]
    public void LongRegionsDoNotAlias()
    {
        using Mat stripes = TestImages.Render(600, 100, (x, _) => x % 2 == 0 ? 0 : 255);
        byte[] patch = RegionPatches.Cut(stripes, [new OrientedRegion(EllipseTests.Turned(300, 50, 64, 8, 0), 0)], 3, 32);
        Assert.That(patch.Max() - patch.Min(), Is.LessThan(20));
        using Mat rows = TestImages.Render(600, 100, (_, y) => y % 24 < 12 ? 0 : 255);
        byte[] kept = RegionPatches.Cut(rows, [new OrientedRegion(EllipseTests.Turned(300, 50, 64, 8, 0), 0)], 3, 32);
        Assert.That(kept.Max() - kept.Min(), Is.GreaterThan(200), "the narrow direction stays sharp");
    }

    [Test]
    public void WrongNumbersAreRefused()
    {
        using Mat image = TestImages.Render(30, 30, (x, y) => x + y);
        OrientedRegion good = new(Ellipse.Circle(15, 15, 3), 0);
        Assert.That(RegionPatches.Cut(image, [], 3, 32), Is.Empty);
        Assert.That(() => RegionPatches.Cut(image, [good with { Angle = double.NaN }], 3, 32), Throws.ArgumentException.With.Message.Contains("angle"));
        Assert.That(() => RegionPatches.Cut(image, [new OrientedRegion(new Ellipse(1, 1, 1, 2, 1), 0)], 3, 32), Throws.ArgumentException);
        Assert.That(() => RegionPatches.Cut(image, [good], 0, 32), Throws.ArgumentException.With.Message.Contains("magnification"));
        Assert.That(() => RegionPatches.Cut(image, [good], 3, 0), Throws.ArgumentException.With.Message.Contains("side"));
    }

    private static Mat Warped()
    {
        Homography back = Map.Inverse();
        return TestImages.Render(200, 180, (x, y) =>
        {
            (double u, double v) = back.Map(x, y);
            return TestImages.Waves(u, v);
        });
    }

    /// <summary>The angle in b's normalized frame of what is at an angle in a's: R(b) = Sb^-1 J Sa R(a).</summary>
    private static double TurnOf(Ellipse a, Ellipse b, double degrees)
    {
        (double axx, double axy, double ayy) = a.FromUnitDisc;
        (double bxx, double bxy, double byy) = b.FromUnitDisc;
        double cos = Math.Cos(degrees * Math.PI / 180), sin = Math.Sin(degrees * Math.PI / 180);
        double x = (axx * cos) + (axy * sin), y = (axy * cos) + (ayy * sin);
        (double u, double v) = ((Map[0, 0] * x) + (Map[0, 1] * y), (Map[1, 0] * x) + (Map[1, 1] * y));
        return Math.Atan2((bxx * v) - (bxy * u), (byy * u) - (bxy * v)) * 180 / Math.PI;
    }

    private static double Difference(byte[] a, byte[] b) => a.Zip(b, (p, q) => Math.Abs(p - q)).Average();
}
