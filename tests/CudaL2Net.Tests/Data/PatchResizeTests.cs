using CudaL2Net.Data;

namespace CudaL2Net.Tests.Data;

public sealed class PatchResizeTests
{
    [Test]
    public void ThirtyTwoIsKept()
    {
        byte[] patches = Noise(3 * 32 * 32), reduced = new byte[3 * 32 * 32];
        PatchResize.Reduce(patches, 32, reduced);
        Assert.That(reduced, Is.EqualTo(patches));
    }

    [TestCase(64)]
    [TestCase(65)]
    public void ReducingIsTheRoundedAreaMean(int side)
    {
        const int Count = 3;
        byte[] patches = Noise(Count * side * side), reduced = new byte[Count * 32 * 32];
        PatchResize.Reduce(patches, side, reduced);
        double scale = side / 32.0;
        for (int i = 0; i < reduced.Length; i++)
        {
            (int patch, int row, int column) = (i / 1024, i / 32 % 32, i % 32);
            double sum = 0;
            for (int y = 0; y < side; y++)
            {
                double height = Math.Max(0, Math.Min(y + 1, (row + 1) * scale) - Math.Max(y, row * scale));
                for (int x = 0; x < side; x++)
                {
                    double width = Math.Max(0, Math.Min(x + 1, (column + 1) * scale) - Math.Max(x, column * scale));
                    sum += height * width * patches[(((patch * side) + y) * side) + x];
                }
            }

            Assert.That(reduced[i], Is.EqualTo((byte)Math.Floor((sum / (scale * scale)) + 0.5 + 1e-9)), $"pixel {i}");
        }
    }

    [Test]
    public void LargeIsTheRoundedAreaMeanOf65AndSixtyFourIsKept()
    {
        byte[] patches = Noise(2 * 65 * 65), large = new byte[2 * 64 * 64], same = new byte[2 * 64 * 64];
        PatchResize.ToLarge(patches, 65, large);
        for (int i = 0; i < large.Length; i++)
        {
            (int patch, int row, int column) = (i / 4096, i / 64 % 64, i % 64);

            // Pixel k of 64 covers 65/64 pixels from k + k/64 on: 1 - k/64 of pixel k and (k + 1)/64 of pixel k + 1.
            double right = (column + 1) / 64.0, left = 1 - (column / 64.0), lower = (row + 1) / 64.0, upper = 1 - (row / 64.0);
            double sum = (upper * ((left * Pixel(0, 0)) + (right * Pixel(0, 1)))) + (lower * ((left * Pixel(1, 0)) + (right * Pixel(1, 1))));
            Assert.That(large[i], Is.EqualTo((byte)Math.Floor((sum * 64 * 64 / (65 * 65)) + 0.5 + 1e-9)), $"pixel {i}");

            int Pixel(int down, int along) => patches[(((patch * 65) + row + down) * 65) + column + along];
        }

        PatchResize.ToLarge(patches.AsSpan(0, large.Length), 64, same);
        Assert.That(same, Is.EqualTo(patches[..large.Length]));
    }

    [TestCase(64)]
    [TestCase(65)]
    public void TheCentreIsTheUnscaledMiddle(int side)
    {
        byte[] patches = Noise(2 * side * side), centres = new byte[2 * 32 * 32];
        PatchResize.CropCentre(patches, side, centres);
        Assert.That(centres[0], Is.EqualTo(patches[(16 * side) + 16]));
        Assert.That(centres[^1], Is.EqualTo(patches[(side * side) + (47 * side) + 47]));
        Assert.That(centres[33], Is.EqualTo(patches[(17 * side) + 17]));
    }

    [Test]
    public void OtherSidesAndLengthsAreRefused()
    {
        Assert.That(() => PatchResize.Reduce(new byte[31 * 31], 31, new byte[1024]), Throws.ArgumentException.With.Message.Contains("31 x 31"));
        Assert.That(() => PatchResize.Reduce(new byte[4095], 64, new byte[1024]), Throws.ArgumentException.With.Message.Contains("4095"));
        Assert.That(() => PatchResize.Reduce(new byte[4096], 64, new byte[1023]), Throws.ArgumentException.With.Message.Contains("1023"));
        Assert.That(() => PatchResize.CropCentre(new byte[1024], 32, new byte[1024]), Throws.ArgumentException.With.Message.Contains("64 x 64"));
        Assert.That(() => PatchResize.ToLarge(new byte[1024], 32, new byte[4096]), Throws.ArgumentException.With.Message.Contains("64 x 64"));
        Assert.That(() => PatchResize.ToLarge(new byte[4225], 65, new byte[1024]), Throws.ArgumentException.With.Message.Contains("4096"));
    }

    private static byte[] Noise(int count)
    {
        byte[] bytes = new byte[count];
        new Random(7).NextBytes(bytes);
        return bytes;
    }
}
