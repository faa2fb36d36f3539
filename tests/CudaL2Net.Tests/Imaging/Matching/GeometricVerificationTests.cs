using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Matching;

public sealed class GeometricVerificationTests
{
    private const int Right = 120, Wrong = 80;

    [Test]
    public void APlaneIsAHomography()
    {
        (Point2d[] from, Point2d[] to) = Points(point => point.Z * 0, Right, Wrong);
        (MatchGeometry geometry, double[]? matrix, bool[] verified) = GeometricVerification.Verify(from, to, 3);
        Assert.That(geometry, Is.EqualTo(MatchGeometry.Homography));
        Assert.That(verified.Take(Right), Is.All.True);
        Assert.That(verified.Skip(Right).Count(value => value), Is.LessThan(3));
        var h = new Homography(matrix!);
        (double x, double y) = h.Map(from[0].X, from[0].Y);
        Assert.That((x - to[0].X, y - to[0].Y), Is.EqualTo((0.0, 0.0)).Within(0.5));
    }

    [Test]
    public void DepthNeedsAFundamentalMatrix()
    {
        (Point2d[] from, Point2d[] to) = Points(point => point.Z, Right, Wrong);
        (MatchGeometry geometry, double[]? matrix, bool[] verified) = GeometricVerification.Verify(from, to, 3);
        Assert.That(geometry, Is.EqualTo(MatchGeometry.Fundamental));
        Assert.That(verified.Take(Right).Count(value => value), Is.GreaterThan(0.97 * Right));
        Assert.That(verified.Skip(Right).Count(value => value), Is.LessThan(0.2 * Wrong));
        double[] f = matrix!;
        double[] line = [.. Enumerable.Range(0, 3).Select(i => (f[3 * i] * from[5].X) + (f[(3 * i) + 1] * from[5].Y) + f[(3 * i) + 2])];
        double distance = Math.Abs((line[0] * to[5].X) + (line[1] * to[5].Y) + line[2]) / Math.Sqrt((line[0] * line[0]) + (line[1] * line[1]));
        Assert.That(distance, Is.LessThan(3), "(x', y', 1) F (x, y, 1)' = 0");
    }

    [Test]
    public void ChanceHasNoGeometry()
    {
        (Point2d[] from, Point2d[] to) = Points(point => point.Z, 0, 200);
        (MatchGeometry geometry, double[]? matrix, bool[] verified) = GeometricVerification.Verify(from, to, 3);
        Assert.That(geometry, Is.EqualTo(MatchGeometry.None));
        Assert.That(matrix, Is.Null);
        Assert.That(verified, Has.Length.EqualTo(200).And.All.False);
    }

    [Test]
    public void ManyMatchesOfOnePointAreNoSupport()
    {
        (Point2d[] from, Point2d[] to) = Points(point => point.Z, 0, 100);
        Array.Fill(to, new Point2d(200, 100));
        Assert.That(GeometricVerification.Verify(from, to, 3).Geometry, Is.EqualTo(MatchGeometry.None));
    }

    [TestCase(0)]
    [TestCase(3)]
    public void TooFewMatchesHaveNoGeometry(int count)
    {
        (Point2d[] from, Point2d[] to) = Points(point => 0, count, 0);
        Assert.That(GeometricVerification.Verify(from, to, 3).Geometry, Is.EqualTo(MatchGeometry.None));
    }

    // Points at depth 4 + relief, seen by two cameras of focal length 500 a stride apart, the second one turned a little.
    private static (Point2d[] From, Point2d[] To) Points(Func<(double X, double Y, double Z), double> relief, int right, int wrong)
    {
        var random = new PhiloxStream(21, DrawPurpose.Evaluation, (uint)right);
        var from = new Point2d[right + wrong];
        var to = new Point2d[right + wrong];
        double cos = Math.Cos(0.1), sin = Math.Sin(0.1);
        for (int i = 0; i < from.Length; i++)
        {
            double x = random.Next(-2f, 2f), y = random.Next(-1.5f, 1.5f), z = 4 + relief((x, y, random.Next(-1.5f, 1.5f)));
            double movedX = (cos * (x - 0.8)) - (sin * z), movedZ = (sin * (x - 0.8)) + (cos * z);
            from[i] = new Point2d(320 + (500 * x / z), 240 + (500 * y / z));
            to[i] = i < right
                ? new Point2d(320 + (500 * movedX / movedZ), 240 + (500 * (y - 0.1) / movedZ))
                : new Point2d(random.Next(0f, 640f), random.Next(0f, 480f));
        }

        return (from, to);
    }
}
