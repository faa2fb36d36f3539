using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Data;

public sealed class ImagePatchesTests
{
    // Sizes around the vectors' lengths, odd and even, and images of one or two rows.
    [TestCase(1, 1)]
    [TestCase(2, 2)]
    [TestCase(3, 2)]
    [TestCase(1, 40)]
    [TestCase(37, 3)]
    [TestCase(64, 65)]
    [TestCase(131, 90)]
    public void TheLevelsAreThoseOfOpenCv(int width, int height)
    {
        using Mat image = TestImages.Speckle(width, height, 3);
        Mat current = image.Clone();
        var pyramid = new ImagePyramid(Bytes(image), width, height, 20);
        for (int level = 0; level < pyramid.Count; level++)
        {
            (byte[] pixels, int levelWidth, int levelHeight) = pyramid.Level(level);
            Assert.That((levelWidth, levelHeight), Is.EqualTo((current.Width, current.Height)));
            Assert.That(pixels, Is.EqualTo(Bytes(current)), $"level {level}");
            Mat next = new();
            Cv2.PyrDown(current, next);
            current.Dispose();
            current = next;
        }

        current.Dispose();
    }

    [Test]
    public void PatchesOfKeypointsAreThoseOfMats()
    {
        using Mat image = TestImages.Speckle(200, 150, 5);
        PatchKeypoint[] keypoints =
        [
            new(-0.5f, -0.5f, 4, 10), new(199.5f, 149.5f, 4, 200), new(100, 75, 0.001f, 0), new(100, 75, 5000, 33), new(100, 75, 1e8f, 33),
            .. Enumerable.Range(0, 300).Select(i => new PatchKeypoint(i * 7 % 200, i * 11 % 150, 0.5f + (i % 41), (i * 37) - 400)),
        ];
        Keypoint[] same = [.. keypoints.Select(k => new Keypoint(k.X, k.Y, k.Size, k.Angle, 1, 0))];
        byte[] patches = ImagePatches.Cut(new ImageView(Bytes(image), 200, 150), keypoints, 6, 32);
        Assert.That(patches, Is.EqualTo(PatchCutter.Cut(image, same, 6, 32)));
        Assert.That(ImagePatches.Cut(new ImageView(Bytes(image), 200, 150), keypoints, 6, 32, threads: 1), Is.EqualTo(patches));
    }

    [TestCase(0)]
    [TestCase(37)]
    [TestCase(250)]
    public void AKeypointAndItsFrameGiveTheSamePatch(float angle)
    {
        using Mat image = TestImages.Speckle(200, 150, 5);
        ImageView view = new(Bytes(image), 200, 150);
        const float Half = 6 * 5 / 2f;
        (float sin, float cos) = MathF.SinCos(angle * (MathF.PI / 180));
        byte[] keypoint = ImagePatches.Cut(view, [new PatchKeypoint(90.25f, 70.5f, 5, angle)], 6, 32);
        byte[] frame = ImagePatches.Cut(view, [new AffineFrame(90.25f, 70.5f, Half * cos, -Half * sin, Half * sin, Half * cos)], 32);
        Assert.That(Enumerable.Range(0, frame.Length).Max(i => Math.Abs(frame[i] - keypoint[i])), Is.LessThanOrEqualTo(1));
    }

    [Test]
    public void APatchTurnsWithItsImage()
    {
        // Turned by 90 degrees clockwise, (x, y) goes to (height - 1 - y, x), and so does the keypoint.
        using Mat image = TestImages.Speckle(200, 150, 5);
        using Mat turned = new();
        Cv2.Rotate(image, turned, RotateFlags.Rotate90Clockwise);
        byte[] before = ImagePatches.Cut(new ImageView(Bytes(image), 200, 150), [new PatchKeypoint(80, 60, 7, 25)], 6, 32);
        byte[] after = ImagePatches.Cut(new ImageView(Bytes(turned), 150, 200), [new PatchKeypoint(149 - 60, 80, 7, 115)], 6, 32);
        double difference = Enumerable.Range(0, before.Length).Average(i => Math.Abs(before[i] - after[i]));
        Assert.That(difference, Is.LessThan(1));
        byte[] wrong = ImagePatches.Cut(new ImageView(Bytes(turned), 150, 200), [new PatchKeypoint(149 - 60, 80, 7, -65)], 6, 32);
        Assert.That(Enumerable.Range(0, before.Length).Average(i => Math.Abs(before[i] - wrong[i])), Is.GreaterThan(5 * difference));
    }

    [Test]
    public void AnAffineFrameReadsItsColumnsAsAxes()
    {
        // Side 5, samples two columns and one row apart; the mirrored frame reads from right to left.
        byte[] pixels = [.. Enumerable.Range(0, 20 * 11).Select(i => (byte)((10 * (i / 20)) + (i % 20)))];
        ImageView image = new(pixels, 20, 11);
        byte[] patch = ImagePatches.Cut(image, [new AffineFrame(9, 5, 5, 0, 0, 2.5f)], 5);
        byte[] mirrored = ImagePatches.Cut(image, [new AffineFrame(9, 5, -5, 0, 0, 2.5f)], 5);
        for (int y = 0; y < 5; y++)
        {
            for (int x = 0; x < 5; x++)
            {
                Assert.That(patch[(5 * y) + x], Is.EqualTo((10 * (3 + y)) + 5 + (2 * x)));
                Assert.That(mirrored[(5 * y) + x], Is.EqualTo(patch[(5 * y) + 4 - x]));
            }
        }
    }

    [Test]
    public void ColourIsTurnedToGreyAsByOpenCvWhateverTheStride()
    {
        const int Width = 71, Height = 43, Stride = (3 * Width) + 5;
        byte[] pixels = new byte[(Stride * (Height - 1)) + (3 * Width)];
        new Random(4).NextBytes(pixels);
        using Mat colour = new(Height, Width, MatType.CV_8UC3), grey = new();
        for (int y = 0; y < Height; y++)
        {
            Marshal.Copy(pixels, y * Stride, colour.Ptr(y), 3 * Width);
        }

        Cv2.CvtColor(colour, grey, ColorConversionCodes.RGB2GRAY);
        Assert.That(new ImageView(pixels, Width, Height, Stride, 3).ToGrey(), Is.EqualTo(Bytes(grey)));
    }

    [Test]
    public void WhatIsNoImageIsRefused()
    {
        Assert.That(() => new ImageView(new byte[11], 4, 3).Width, Throws.ArgumentException.With.Message.Contains("need 12 bytes, not 11"));
        Assert.That(() => new ImageView(new byte[12], 4, 3, 3).Width, Throws.ArgumentException.With.Message.Contains("stride of 4 bytes or more, not 3"));
        Assert.That(() => new ImageView(new byte[12], 4, 3, -4).Width, Throws.ArgumentException.With.Message.Contains("not -4"));
        Assert.That(() => new ImageView(new byte[12], 3, 1, 0, 4).Width, Throws.ArgumentException.With.Message.Contains("not 4"));
        Assert.That(() => new ImageView([], 0, 3).Width, Throws.ArgumentException.With.Message.Contains("0 x 3"));
        Assert.That(() => new ImageView([], 1 << 30, 1 << 30).Width, Throws.ArgumentException);
        Assert.That(() => ImagePatches.Cut(default, ReadOnlySpan<PatchKeypoint>.Empty, 6, 32), Throws.ArgumentException.With.Message.Contains("new ImageView"));
    }

    [TestCase(float.NaN, 5, 2, 0, "keypoint 1 at")]
    [TestCase(5, float.PositiveInfinity, 2, 0, "keypoint 1 at")]
    [TestCase(-0.6f, 5, 2, 0, "keypoint 1 at")]
    [TestCase(5, 9.6f, 2, 0, "keypoint 1 at")]
    [TestCase(5, 5, 0, 0, "keypoint 1 needs")]
    [TestCase(5, 5, float.NaN, 0, "keypoint 1 needs")]
    [TestCase(5, 5, float.PositiveInfinity, 0, "keypoint 1 needs")]
    [TestCase(5, 5, 2, float.NaN, "keypoint 1 needs")]
    public void ABadKeypointIsNamedByItsIndex(float x, float y, float size, float angle, string message)
    {
        byte[] pixels = new byte[100];
        Assert.That(
            () => ImagePatches.Cut(new ImageView(pixels, 10, 10), [new PatchKeypoint(5, 5, 2, 0), new PatchKeypoint(x, y, size, angle)], 6, 32),
            Throws.ArgumentException.With.Message.Contains(message));
    }

    [TestCase(5, 50, 1, 0, 0, 1, "frame 1 at")]
    [TestCase(5, 5, 1, 2, 2, 4, "frame 1 needs")]
    [TestCase(5, 5, 0, 0, 0, 0, "frame 1 needs")]
    [TestCase(5, 5, float.NaN, 0, 0, 1, "frame 1 needs")]
    [TestCase(5, 5, 1e30f, 0, 0, 1, "frame 1 needs")]
    public void ABadFrameIsNamedByItsIndex(float x, float y, float xx, float xy, float yx, float yy, string message)
    {
        byte[] pixels = new byte[100];
        Assert.That(
            () => ImagePatches.Cut(new ImageView(pixels, 10, 10), [new AffineFrame(5, 5, 1, 0, 0, 1), new AffineFrame(x, y, xx, xy, yx, yy)], 32),
            Throws.ArgumentException.With.Message.Contains(message));
    }

    [Test]
    public void SizesOfPatchesAreChecked()
    {
        byte[] pixels = new byte[100];
        PatchKeypoint[] one = [new(5, 5, 2, 0)];
        Assert.That(() => ImagePatches.Cut(new ImageView(pixels, 10, 10), one, 6, 129), Throws.ArgumentException.With.Message.Contains("1 to 128, not 129"));
        Assert.That(() => ImagePatches.Cut(new ImageView(pixels, 10, 10), one, 0, 32), Throws.ArgumentException.With.Message.Contains("patch scale"));
        Assert.That(() => ImagePatches.Cut(new ImageView(pixels, 10, 10), one, 6, 32, new byte[7]), Throws.ArgumentException.With.Message.Contains("1024"));
        Assert.That(() => ImagePatches.Cut(new ImageView(pixels, 10, 10), one, 6, 32, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(ImagePatches.Cut(new ImageView(pixels, 10, 10), ReadOnlySpan<PatchKeypoint>.Empty, 6, 32), Is.Empty);
    }

    private static byte[] Bytes(Mat grey)
    {
        int width = grey.Width, height = grey.Height;
        byte[] pixels = new byte[width * height];
        for (int y = 0; y < height; y++)
        {
            Marshal.Copy(grey.Ptr(y), pixels, y * width, width);
        }

        return pixels;
    }
}
