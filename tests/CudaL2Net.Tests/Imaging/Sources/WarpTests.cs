using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Sources;

public sealed class WarpTests
{
    [Test]
    public void ProjectedPointsShowTheSameGreyInTheWarpedImage()
    {
        using Mat image = TestImages.Render(300, 200, TestImages.Waves);
        PairOptions options = new();
        for (uint i = 0; i < 20; i++)
        {
            PhiloxStream draws = new(5, DrawPurpose.Pair, i);
            Warp warp = Warp.Draw(ref draws, options, 300, 200);
            using Mat copy = warp.Apply(image);
            Assert.That((copy.Width, copy.Height), Is.EqualTo((warp.Width, warp.Height)));
            for (int k = 0; k < 20; k++)
            {
                Keypoint there = warp.Project(new Keypoint(draws.Next(30f, 270f), draws.Next(30f, 170f), 2, 0, 1, 0));
                if (there.X > 2 && there.Y > 2 && there.X < warp.Width - 3 && there.Y < warp.Height - 3)
                {
                    byte[] seen = PatchCutter.Cut(copy, [there with { Size = 1, Angle = 0 }], 1, 1);
                    Keypoint back = Invert(warp, there);
                    Assert.That(seen[0], Is.EqualTo(TestImages.Waves(back.X, back.Y)).Within(8), $"warp {i}, point {k}");
                }
            }
        }
    }

    [Test]
    public void SizeAndOrientationFollowTheJacobian()
    {
        // The gradient of a linear ramp g.p is g; seen through x' = A x it is A^-T g.
        PhiloxStream draws = new(9, DrawPurpose.Pair, 0);
        Warp warp = Warp.Draw(ref draws, new PairOptions { Perspective = 0 }, 200, 160);
        Keypoint origin = warp.Project(new Keypoint(100, 80, 4, 40, 1, 0));
        Keypoint right = warp.Project(new Keypoint(101, 80, 4, 40, 1, 0)), down = warp.Project(new Keypoint(100, 81, 4, 40, 1, 0));
        double a = right.X - origin.X, b = down.X - origin.X, c = right.Y - origin.Y, d = down.Y - origin.Y, determinant = (a * d) - (b * c);
        double gx = Math.Cos(40 * Math.PI / 180), gy = Math.Sin(40 * Math.PI / 180);
        double expected = Math.Atan2(((-b * gx) + (a * gy)) / determinant, ((d * gx) - (c * gy)) / determinant) * 180 / Math.PI;
        Assert.That(((origin.Angle - expected) + 540) % 360, Is.EqualTo(180).Within(0.1));
        Assert.That(origin.Size, Is.EqualTo(4 * Math.Sqrt(Math.Abs(determinant))).Within(1e-3));
    }

    [Test]
    public void OnlyARotationTurnsTheOrientationByItsAngle()
    {
        // No scale, no tilt: the image's x axis, projected, gives the rotation.
        PhiloxStream draws = new(11, DrawPurpose.Pair, 0);
        Warp warp = Warp.Draw(ref draws, new PairOptions { Perspective = 0, Tilt = 1, Scale = 1 }, 200, 200);
        Keypoint at = warp.Project(new Keypoint(90, 90, 4, 25, 1, 0)), along = warp.Project(new Keypoint(95, 90, 4, 25, 1, 0));
        double rotation = Math.Atan2(along.Y - at.Y, along.X - at.X) * 180 / Math.PI;
        Assert.That((at.Angle - 25 - rotation + 900) % 360, Is.EqualTo(180).Within(0.01));
        Assert.That(at.Size, Is.EqualTo(4).Within(1e-4));
    }

    private static Keypoint Invert(Warp warp, Keypoint there)
    {
        // Newton's method on the projection.
        double x = 150, y = 100;
        for (int i = 0; i < 50; i++)
        {
            Keypoint at = warp.Project(new Keypoint((float)x, (float)y, 1, 0, 1, 0));
            Keypoint right = warp.Project(new Keypoint((float)x + 1, (float)y, 1, 0, 1, 0)),
                down = warp.Project(new Keypoint((float)x, (float)y + 1, 1, 0, 1, 0));
            double a = right.X - at.X, b = down.X - at.X, c = right.Y - at.Y, d = down.Y - at.Y, determinant = (a * d) - (b * c);
            double ex = there.X - at.X, ey = there.Y - at.Y;
            x += ((d * ex) - (b * ey)) / determinant;
            y += ((-c * ex) + (a * ey)) / determinant;
        }

        return new Keypoint((float)x, (float)y, 1, 0, 1, 0);
    }
}
