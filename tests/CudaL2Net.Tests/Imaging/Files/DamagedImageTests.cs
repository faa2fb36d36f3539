using CudaL2Net.Imaging;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Files;

/// <summary>Images with damage inside: refused by name, or exactly the undamaged pixels.</summary>
public sealed class DamagedImageTests
{
    private const int Block = 512;

    // These have no checksum and no codes that could fail: what is overwritten in their pixels cannot be noticed.
    private static readonly string[] Silent = ["none.tiff", "packbits.tiff", "lossy.webp", "lossless.webp", "grey.bmp", "grey.pgm", "colour.ppm"];

    private readonly TemporaryFolder folder = new();

    [OneTimeTearDown]
    public void DeleteFolder() => folder.Dispose();

    [Test]
    public void ADeletedBlockIsNoticedInEveryFormat([ValueSource(typeof(ImageBytes), nameof(ImageBytes.Forms))] string form)
    {
        byte[] good = ImageBytes.Of(form);
        foreach (int at in Offsets(good))
        {
            MustBeRefusedOrWhole(form, good, [.. good[..at], .. good[(at + Block)..]], $"{Block} bytes deleted at {at}");
        }
    }

    [Test]
    public void AZeroedBlockIsNoticedWhereTheFormatCanTell([ValueSource(typeof(ImageBytes), nameof(ImageBytes.Forms))] string form)
    {
        byte[] good = ImageBytes.Of(form);
        foreach (int at in Offsets(good))
        {
            byte[] bad = [.. good[..at], .. new byte[Block], .. good[(at + Block)..]];
            if (!Silent.Contains(form))
            {
                MustBeRefusedOrWhole(form, good, bad, $"{Block} bytes zeroed at {at}");
            }
            else
            {
                MustNotFailOtherwise(form, good, bad);
            }
        }
    }

    [Test]
    public void ACutIsNoticedInEveryFormat([ValueSource(typeof(ImageBytes), nameof(ImageBytes.Forms))] string form)
    {
        byte[] good = ImageBytes.Of(form);
        foreach (int at in Offsets(good).Append(good.Length - 1))
        {
            MustBeRefusedOrWhole(form, good, good[..at], $"cut at {at}");
        }
    }

    [Test]
    public void RandomDamageIsRefusedByNameOrGivesAnImage([ValueSource(typeof(ImageBytes), nameof(ImageBytes.Forms))] string form)
    {
        byte[] good = ImageBytes.Of(form);
        var draws = new PhiloxStream(11, DrawPurpose.Evaluation, 3);
        for (int i = 0; i < 60; i++)
        {
            byte[] bad = [.. good];
            int at = draws.Next(i % 2 == 0 ? Math.Min(600, good.Length) : good.Length), length = Math.Min(1 << draws.Next(8), good.Length - at);
            switch (draws.Next(5))
            {
                case 0:
                    bad[at] ^= (byte)(1 << draws.Next(8));
                    break;
                case 1:
                    foreach (ref byte value in bad.AsSpan(at, length))
                    {
                        value = (byte)draws.Next(256);
                    }

                    break;
                case 2:
                    bad.AsSpan(at, length).Fill(0xFF);
                    break;
                case 3:
                    bad = [.. good[..at], .. good[(at + length)..]];
                    break;
                default:
                    bad = [.. good[..(at + length)], .. good[at..]];
                    break;
            }

            MustNotFailOtherwise(form, good, bad);
        }
    }

    [Test]
    public void AJpegThatWasCutAndClosedIsRefused([Values("grey.jpg", "colour.jpg", "progressive.jpg", "restarts.jpg")] string form)
    {
        byte[] good = ImageBytes.Of(form);
        foreach (int at in Offsets(good))
        {
            MustBeRefusedOrWhole(form, good, [.. good[..at], 0xFF, 0xD9], $"cut at {at} and closed");
        }
    }

    [Test]
    public void AProgressiveJpegWithoutItsLastScanIsRefused()
    {
        byte[] good = ImageBytes.Of("progressive.jpg");
        int last = good.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        MustBeRefused("progressive.jpg", [.. good[..last], 0xFF, 0xD9], "scans are missing");
    }

    [Test]
    public void APngWithTooFewRowsIsRefusedAlthoughItsChecksumsAgree()
    {
        byte[][] rows = [.. Enumerable.Range(0, 10).Select(y => new byte[16])];
        MustBeRefused("rows.png", ImageBytes.Png(16, 20, 8, 0, rows), "rows are missing");
        MustBeRefused("rows.png", ImageBytes.Png(16, 9, 8, 0, rows), "more than the image");
        Assert.That(Load("rows.png", ImageBytes.Png(16, 10, 8, 0, rows)).Height, Is.EqualTo(10));
    }

    [Test]
    public void WhatStandsBehindTheEndIsNotLookedAt(
        [Values("grey.jpg", "progressive.jpg", "restarts.jpg", "grey.png", "lzw.tiff", "lossy.webp", "grey.bmp", "grey.pgm", "colour.gif")] string form)
    {
        byte[] good = ImageBytes.Of(form);
        var draws = new PhiloxStream(5, DrawPurpose.Evaluation, 4);
        using Mat expected = Load(form, good);
        for (int i = 0; i < 12; i++)
        {
            byte[] tail = new byte[1 + draws.Next(3000)];
            foreach (ref byte value in tail.AsSpan())
            {
                value = (byte)draws.Next(i % 3 == 0 ? 256 : 2 + i);
            }

            using Mat read = Load(form, [.. good, .. tail]);
            Assert.That(Cv2.Norm(read, expected, NormTypes.INF), Is.Zero);
        }

        // Another image, as in a motion photo's preview, does not make a cut one whole.
        byte[] cut = good[..(good.Length / 2)];
        MustBeRefused(form, form.EndsWith("jpg", StringComparison.Ordinal) ? [.. cut, .. good] : cut, form);
    }

    [Test]
    public void AHugeImageIsRefusedBeforeItIsDecoded()
    {
        byte[] png = ImageBytes.Png(40_000, 30_000, 8, 2, []);
        MustBeRefused("huge.png", png, "40000 x 30000 pixels", "1200 million", "up to 268 million");
    }

    private static IEnumerable<int> Offsets(byte[] file) => Enumerable.Range(0, 10).Select(i => (int)((file.Length - Block - 1) * ((2 * i) + 1L) / 20));

    private void MustBeRefusedOrWhole(string form, byte[] good, byte[] bad, string what)
    {
        try
        {
            using Mat read = Load(form, bad), expected = Load("good-" + form, good);
            Assert.That(read.Size(), Is.EqualTo(expected.Size()), $"{form}, {what}");
            Assert.That(Cv2.Norm(read, expected, NormTypes.INF), Is.Zero, $"{form}, {what}");
        }
        catch (InvalidDataException exception)
        {
            Assert.That(exception.Message, Does.StartWith(folder[form]));
        }
    }

    private void MustNotFailOtherwise(string form, byte[] good, byte[] bad)
    {
        try
        {
            Load(form, bad).Dispose();
        }
        catch (InvalidDataException exception)
        {
            Assert.That(exception.Message, Does.StartWith(folder[form]));
            Assert.That(bad, Is.Not.EqualTo(good));
        }
    }

    private void MustBeRefused(string name, byte[] bytes, params string[] words)
    {
        InvalidDataException? exception = Assert.Throws<InvalidDataException>(() => Load(name, bytes).Dispose());
        Assert.That(exception!.Message, Does.StartWith(folder[name]));
        foreach (string word in words)
        {
            Assert.That(exception.Message, Does.Contain(word));
        }
    }

    private Mat Load(string name, byte[] bytes)
    {
        File.WriteAllBytes(folder[name], bytes);
        return ImageFile.LoadGrey(folder[name]);
    }
}
