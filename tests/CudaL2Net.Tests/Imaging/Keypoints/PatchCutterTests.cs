using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

public sealed class PatchCutterTests
{
    [Test]
    public void AnUnturnedPatchAtFullSizeCopiesPixelsAroundThePixelCentre()
    {
        // Side 5, 5 pixels wide: sample distance 1, the keypoint's pixel is the middle one.
        using Mat image = TestImages.Render(20, 20, (x, y) => (10 * y) + x);
        byte[] patch = PatchCutter.Cut(image, [new Keypoint(9, 7, 1, 0, 1, 0)], 5, 5);
        for (int y = 0; y < 5; y++)
        {
            for (int x = 0; x < 5; x++)
            {
                Assert.That(patch[(y * 5) + x], Is.EqualTo((10 * (5 + y)) + 7 + x));
            }
        }
    }

    [Test]
    public void PatchesInBlocksAreThoseCutAtOnce()
    {
        using Mat image = TestImages.Speckle(90, 70, 5);
        Keypoint[] keypoints = [.. Enumerable.Range(0, PatchCutter.BlockPatches + 100).Select(i => new Keypoint(i % 90, i % 70, 1 + (i % 37), i % 360, 1, 0))];
        byte[][] blocks = [.. PatchCutter.CutBlocks(image, keypoints, 6, 8)];
        Assert.That(blocks.Select(block => block.Length / 64), Is.EqualTo(new[] { PatchCutter.BlockPatches, 100 }));
        Assert.That(blocks.SelectMany(block => block).ToArray(), Is.EqualTo(PatchCutter.Cut(image, keypoints, 6, 8)));
        Assert.That(PatchCutter.CutBlocks(image, [], 6, 8), Is.Empty);
    }

    [Test]
    public void AnEvenPatchLiesHalfAPixelAroundTheKeypoint()
    {
        using Mat image = TestImages.Render(20, 20, (x, y) => (10 * y) + x);
        byte[] patch = PatchCutter.Cut(image, [new Keypoint(9.5f, 7.5f, 2, 0, 1, 0)], 2, 4);
        Assert.That(patch[0], Is.EqualTo((10 * 6) + 8));
        Assert.That(patch[^1], Is.EqualTo((10 * 9) + 11));
    }

    [Test]
    public void AngleTurnsThePatchClockwiseWithYDown()
    {
        // At 90 degrees the patch's x axis points down the image, and its y axis to the left.
        using Mat image = TestImages.Render(20, 20, (x, y) => (10 * y) + x);
        byte[] patch = PatchCutter.Cut(image, [new Keypoint(9, 7, 1, 90, 1, 0)], 5, 5);
        for (int y = 0; y < 5; y++)
        {
            for (int x = 0; x < 5; x++)
            {
                Assert.That(patch[(y * 5) + x], Is.EqualTo((10 * (7 + x - 2)) + 9 - (y - 2)));
            }
        }
    }

    [TestCase(1.0, 30)]
    [TestCase(0.6, -75)]
    [TestCase(1.7, 140)]
    public void PatchesOfATurnedAndScaledImageAgree(double scale, double degrees)
    {
        double radians = degrees * Math.PI / 180, cos = Math.Cos(radians), sin = Math.Sin(radians);
        using Mat first = TestImages.Render(400, 400, TestImages.Waves);

        // Point q of the second image shows point p of the first: q - 200 = scale R (p - 200).
        using Mat second = TestImages.Render(400, 400, (x, y) =>
        {
            double dx = (x - 200) / scale, dy = (y - 200) / scale;
            return TestImages.Waves(200 + (cos * dx) + (sin * dy), 200 - (sin * dx) + (cos * dy));
        });
        foreach (float size in new[] { 3f, 6.5f, 13f })
        {
            Keypoint a = new(206, 197, size, 20, 1, 0);
            Keypoint b = new((float)(200 + (scale * ((cos * 6) - (sin * -3)))), (float)(200 + (scale * ((sin * 6) + (cos * -3)))), (float)(size * scale),
                (float)(20 + degrees), 1, 0);
            byte[] patchA = PatchCutter.Cut(first, [a], 10, 32);
            byte[] patchB = PatchCutter.Cut(second, [b], 10, 32);
            double difference = patchA.Zip(patchB, (p, q) => Math.Abs(p - q)).Average();
            Assert.That(difference, Is.LessThan(2.5), $"size {size}");
        }
    }

    [Test]
    public void FineTextureDoesNotAliasWhenReduced()
    {
        using Mat stripes = TestImages.Render(300, 300, (x, _) => x % 2 == 0 ? 0 : 255);
        byte[] patch = PatchCutter.Cut(stripes, [new Keypoint(150, 150, 20, 17, 1, 0)], 8, 32);
        Assert.That(patch.Max() - patch.Min(), Is.LessThan(12));
        Assert.That(patch.Average(p => p), Is.EqualTo(127.5).Within(3));
    }

    [Test]
    public void OutsideTheImageItsBorderGoesOn()
    {
        using Mat image = TestImages.Render(30, 30, (x, _) => x == 0 ? 77 : 200);
        byte[] patch = PatchCutter.Cut(image, [new Keypoint(0, 15, 3.2f, 0, 1, 0)], 10, 32);
        Assert.That(patch[15 * 32], Is.EqualTo(77));
        Assert.That(patch[(15 * 32) + 31], Is.EqualTo(200));
    }

    [Test]
    public void WrongSizesAndKeypointsAreRefused()
    {
        using Mat image = TestImages.Render(30, 30, (x, y) => x + y);
        using Mat colour = new(30, 30, MatType.CV_8UC3);
        Keypoint good = new(15, 15, 2, 0, 1, 0);
        Assert.That(() => PatchCutter.Cut(image, [good], 10, 32, new byte[7]), Throws.ArgumentException.With.Message.Contains("1024"));
        Assert.That(() => PatchCutter.Cut(colour, [good], 10, 32), Throws.ArgumentException.With.Message.Contains("grey"));
        Assert.That(() => PatchCutter.Cut(image, [good with { Size = 0 }], 10, 32), Throws.ArgumentException.With.Message.Contains("keypoint 0"));
        Assert.That(() => PatchCutter.Cut(image, [good with { X = float.NaN }], 10, 32), Throws.ArgumentException);
        Assert.That(() => PatchCutter.Cut(image, [good], 10, 0), Throws.ArgumentException);
        Assert.That(() => PatchCutter.Cut(image, [good], double.NaN, 32), Throws.ArgumentException);
    }
}
