using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Tests.Imaging.Geometry;

public sealed class EllipseTests
{
    [Test]
    public void AreaAndAxesAreThoseOfTheForm()
    {
        // Half axes 4 and 1, turned by 30 degrees.
        Ellipse ellipse = Turned(5, 6, 4, 1, 30);
        Assert.That(ellipse.Area, Is.EqualTo(4 * Math.PI).Within(1e-12));
        Assert.That(ellipse.Radius, Is.EqualTo(2).Within(1e-12));
        (double xx, double xy, double yy) = ellipse.FromUnitDisc;
        double cos = Math.Sqrt(0.75), sin = 0.5;
        Assert.That(((xx * cos) + (xy * sin), (xy * cos) + (yy * sin)), Is.EqualTo((4 * cos, 4 * sin)).Using<(double, double)>(Near), "the long axis");
        Assert.That(((xx * -sin) + (xy * cos), (xy * -sin) + (yy * cos)), Is.EqualTo((-sin, cos)).Using<(double, double)>(Near), "the short axis");
        Assert.That(ellipse.Scaled(3).Area, Is.EqualTo(36 * Math.PI).Within(1e-11));
    }

    [Test]
    public void MomentsOfAUniformEllipseGiveItBack()
    {
        // The covariance of a uniform ellipse is its shape over 4: here half axes 6 and 3 along the coordinate axes.
        Ellipse ellipse = Ellipse.FromMoments(1, 2, 9, 0, 2.25);
        Assert.That((ellipse.X, ellipse.Y, ellipse.A, ellipse.B, ellipse.C), Is.EqualTo((1.0, 2.0, 1 / 36.0, 0.0, 1 / 9.0)));
    }

    [Test]
    public void WarpingTakesTheOutlineToTheOutlineOfTheLinearizedMap()
    {
        var map = new Homography(1.1, 0.2, -30, -0.1, 0.8, 12, 4e-4, -2e-4, 1);
        Ellipse ellipse = Turned(200, 150, 7, 3, 20), warped = ellipse.Warped(map);
        (double sxx, double sxy, double syy) = ellipse.FromUnitDisc;
        const double Small = 1e-4;
        for (int i = 0; i < 12; i++)
        {
            // A tiny copy of the outline through the map itself, its offset from the centre's image blown up again.
            double cos = Math.Cos(i), sin = Math.Sin(i);
            (double x, double y) = map.Map(200 + (Small * ((sxx * cos) + (sxy * sin))), 150 + (Small * ((sxy * cos) + (syy * sin))));
            double dx = (x - warped.X) / Small, dy = (y - warped.Y) / Small;
            Assert.That((warped.A * dx * dx) + (2 * warped.B * dx * dy) + (warped.C * dy * dy), Is.EqualTo(1).Within(1e-5));
        }

        Ellipse back = warped.Warped(map.Inverse());
        Assert.That((back.X, back.Y), Is.EqualTo((200.0, 150.0)).Using<(double, double)>((p, q) => Math.Abs(p.Item1 - q.Item1) + Math.Abs(p.Item2 - q.Item2) < 1e-9));
        Assert.That(new[] { back.A, back.B, back.C }, Is.EqualTo(new[] { ellipse.A, ellipse.B, ellipse.C }).Within(1e-12));
    }

    [TestCase(1, 0, 1, true)]
    [TestCase(1, 1, 1, false)]
    [TestCase(-1, 0, -1, false)]
    [TestCase(0, 0, 1, false)]
    [TestCase(double.NaN, 0, 1, false)]
    [TestCase(double.PositiveInfinity, 0, 1, false)]
    public void FormsThatAreNoEllipseAreToldApart(double a, double b, double c, bool valid) => Assert.That(new Ellipse(0, 0, a, b, c).IsValid, Is.EqualTo(valid));

    internal static Ellipse Turned(double x, double y, double longer, double shorter, double degrees)
    {
        double cos = Math.Cos(degrees * Math.PI / 180), sin = Math.Sin(degrees * Math.PI / 180);
        double p = 1 / (longer * longer), q = 1 / (shorter * shorter);
        return new Ellipse(x, y, (p * cos * cos) + (q * sin * sin), (p - q) * cos * sin, (p * sin * sin) + (q * cos * cos));
    }

    private static bool Near((double X, double Y) a, (double X, double Y) b) => Math.Abs(a.X - b.X) + Math.Abs(a.Y - b.Y) < 1e-12;
}
