using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class BmpFileTests
{
    [TestCase(8, false)]
    [TestCase(8, true)]
    [TestCase(24, false)]
    [TestCase(24, true)]
    public void EveryKindIsReadFromTheTop(int bits, bool topDown)
    {
        using var folder = new TemporaryFolder();
        byte[] pixels = [.. Enumerable.Range(0, 5 * 3).Select(i => (byte)(17 * i))];
        File.WriteAllBytes(folder["a.bmp"], Bmp.Encode(5, 3, pixels, bits, topDown));
        (int width, int height, byte[] read) = BmpFile.ReadGrey(folder["a.bmp"]);
        Assert.That((width, height), Is.EqualTo((5, 3)));
        Assert.That(read, Is.EqualTo(pixels));
    }

    [Test]
    public void ColoursBecomeGrey()
    {
        using var folder = new TemporaryFolder();
        byte[] file = Bmp.Encode(1, 1, [0], 24, topDown: false);
        // Blue, green, red: 0.114 x 10 + 0.587 x 100 + 0.299 x 200 = 119.64.
        (file[54], file[55], file[56]) = (10, 100, 200);
        File.WriteAllBytes(folder["a.bmp"], file);
        Assert.That(BmpFile.ReadGrey(folder["a.bmp"]).Pixels, Is.EqualTo(new byte[] { 120 }));
    }

    [Test]
    public void APaletteInAnyOrderIsLookedUp()
    {
        using var folder = new TemporaryFolder();
        byte[] file = Bmp.Encode(2, 1, [0, 3], 8, topDown: false);
        file.AsSpan(54, 3).Fill(200);
        File.WriteAllBytes(folder["a.bmp"], file);
        Assert.That(BmpFile.ReadGrey(folder["a.bmp"]).Pixels, Is.EqualTo(new byte[] { 200, 3 }));
    }

    [Test]
    public void AFileCutAnywhereIsRefused()
    {
        using var folder = new TemporaryFolder();
        byte[] file = Bmp.Encode(5, 3, new byte[15], 8, topDown: false);
        foreach (int length in new[] { 0, 1, 2, 20, 53, 54, 100, 1077, 1078, 1079, file.Length - 1 })
        {
            File.WriteAllBytes(folder["a.bmp"], file[..length]);
            Assert.That(
                () => BmpFile.ReadGrey(folder["a.bmp"]),
                Throws.InstanceOf<InvalidDataException>().With.Message.Contains(folder["a.bmp"]), $"{length} bytes");
        }
    }

    [TestCase(0, 'X', "no bitmap header")]
    [TestCase(14, 12, "header of 12 bytes")]
    [TestCase(18, 0, "0 x 3")]
    [TestCase(21, 0x7F, "do not fit")]
    [TestCase(22, 0, "5 x 0")]
    [TestCase(25, 0x7F, "do not fit")]
    [TestCase(28, 4, "4 bits")]
    [TestCase(30, 1, "compression 1")]
    [TestCase(46, 2, "colour 7 of a palette of 2")]
    [TestCase(47, 3, "palette of 768 colours")]
    [TestCase(10, 20, "palette of 256 colours")]
    public void ADamagedHeaderIsRefusedWithItsReason(int offset, int value, string reason)
    {
        using var folder = new TemporaryFolder();
        byte[] pixels = new byte[15];
        pixels.AsSpan().Fill(7);
        byte[] file = Bmp.Encode(5, 3, pixels, 8, topDown: false);
        file[offset] = (byte)value;
        File.WriteAllBytes(folder["a.bmp"], file);
        Assert.That(() => BmpFile.ReadGrey(folder["a.bmp"]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(reason));
    }
}
