using CudaL2Net.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

public sealed class AffineShapeTests
{
    private static readonly AffineShape Shape = new(9, -4, 3, 5);

    [Test]
    public void ADiscHasItsSizeAndAngle()
    {
        var disc = AffineShape.Disc(10, 30);
        Assert.That(disc.Size, Is.EqualTo(10).Within(1e-5));
        Assert.That(disc.Angle, Is.EqualTo(30).Within(1e-4));
        Assert.That(disc.A11, Is.EqualTo(5 * Math.Cos(Math.PI / 6)).Within(1e-5));
        Assert.That(disc.A21, Is.EqualTo(5 * Math.Sin(Math.PI / 6)).Within(1e-5));
    }

    [TestCase(0, 0, 0, 0)]
    [TestCase(1, 2, 2, 4)]
    [TestCase(1, 0, 0, float.NaN)]
    [TestCase(float.PositiveInfinity, 0, 0, 1)]
    public void AShapeWithoutAreaIsNone(float a11, float a12, float a21, float a22) => Assert.That(new AffineShape(a11, a12, a21, a22).IsValid, Is.False);

    [Test]
    public void TheUprightShapeIsSymmetricWithTheSameEllipse()
    {
        AffineShape upright = Shape.Upright();
        Assert.Multiple(() =>
        {
            Assert.That(upright.A12, Is.EqualTo(upright.A21));
            Assert.That(Moments(upright), Is.EqualTo(Moments(Shape)).Within(1e-3));
            Assert.That(upright.Size, Is.EqualTo(Shape.Size).Within(1e-4));
            Assert.That(Moments(Shape.Turned(77)), Is.EqualTo(Moments(Shape)).Within(1e-3));
        });
    }

    [Test]
    public void AnAffineKeypointIsCutAsTheCoreCutsItsFrame()
    {
        using Mat image = TestImages.Speckle(120, 100, 5);
        image.GetArray(out byte[] pixels);
        byte[] patch = PatchCutter.Cut(image, [Keypoint.FromShape(61.5f, 47.25f, Shape)], 4, 32);
        byte[] frame = ImagePatches.Cut(new ImageView(pixels, 120, 100), [new AffineFrame(61.5f, 47.25f, 36, -16, 12, 20)], 32);
        Assert.That(patch, Is.EqualTo(frame));
    }

    [Test]
    public void ARoundShapeIsCutAsTheDisc()
    {
        using Mat image = TestImages.Render(120, 100, TestImages.Waves);
        var disc = new Keypoint(61.5f, 47.25f, 9, 33, 1, 0);
        byte[] round = PatchCutter.Cut(image, [disc], 6, 32), shaped = PatchCutter.Cut(image, [Keypoint.FromShape(61.5f, 47.25f, AffineShape.Disc(9, 33))], 6, 32);
        Assert.That(round.Zip(shaped, (a, b) => Math.Abs(a - b)).Max(), Is.LessThanOrEqualTo(1));
    }

    [Test]
    public void AWarpedImageGivesTheSamePatch()
    {
        // The second image is the first one seen through p = M q + t, so the shape of the second, taken by M, is that of the first.
        using Mat first = TestImages.Render(200, 160, TestImages.Waves);
        using Mat second = TestImages.Render(200, 160, (x, y) => TestImages.Waves((1.3 * x) + (0.4 * y) - 50, (-0.2 * x) + (0.8 * y) + 40));
        var shape = new AffineShape(4, 1, -2, 5);
        var there = new AffineShape((1.3f * 4) + (0.4f * -2), (1.3f * 1) + (0.4f * 5), (-0.2f * 4) + (0.8f * -2), (-0.2f * 1) + (0.8f * 5));
        byte[] a = PatchCutter.Cut(second, [Keypoint.FromShape(100, 80, shape)], 5, 32);
        byte[] b = PatchCutter.Cut(first, [Keypoint.FromShape((1.3f * 100) + (0.4f * 80) - 50, (-0.2f * 100) + (0.8f * 80) + 40, there)], 5, 32);
        Assert.That(a.Zip(b, (p, q) => Math.Abs(p - q)).Average(), Is.LessThan(2.5));
    }

    [Test]
    public void SiftRefusesAffineKeypointsAndTheCutterShapesWithoutArea()
    {
        using Mat image = TestImages.Speckle(60, 60, 5);
        Assert.That(() => new SiftDescriber().Describe(image, [Keypoint.FromShape(30, 30, Shape)]), Throws.ArgumentException.With.Message.Contains("affine"));
        Keypoint flat = new(30, 30, 5, 0, 0, 0) { Shape = new AffineShape(1, 2, 2, 4) };
        Assert.That(() => PatchCutter.Cut(image, [flat], 6, 32), Throws.ArgumentException.With.Message.Contains("keypoint 0"));
    }

    // A A'.
    private static double[] Moments(AffineShape s) =>
        [((double)s.A11 * s.A11) + (s.A12 * s.A12), ((double)s.A11 * s.A21) + (s.A12 * s.A22), ((double)s.A21 * s.A21) + (s.A22 * s.A22)];
}
