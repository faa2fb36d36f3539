using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Files;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Files;

/// <summary>Images as they are stored, and the focal lengths that cameras wrote.</summary>
public sealed class StoredImageTests
{
    [Test]
    public void NoFormatIsTurned([Range(1, 8)] int orientation)
    {
        using Mat grey = TestImages.Speckle(40, 24, 2), colour = new(), sixteen = new();
        Cv2.CvtColor(grey, colour, ColorConversionCodes.GRAY2BGR);
        grey.ConvertTo(sixteen, MatType.CV_16U, 257);
        grey.GetArray(out byte[] pixels);
        byte[] exif = ImageBytes.Exif(orientation), jpeg = ImageBytes.Encode(".jpg", grey, (ImwriteFlags.JpegQuality, 100));
        using Mat plainJpeg = Load("flat.jpg", jpeg);
        Assert.Multiple(() =>
        {
            MustBe(plainJpeg, "a.jpg", ImageBytes.JpegWithExif(jpeg, exif));
            MustBe(grey, "a.png", ImageBytes.Png(40, 24, 8, 0, pixels.Chunk(40), ("eXIf", exif)));
            MustBe(grey, "a.webp", ImageBytes.WebpWithExif(ImageBytes.Encode(".webp", colour, (ImwriteFlags.WebPQuality, 101)), 40, 24, exif));
            MustBe(grey, "a.tiff", ImageBytes.TiffWithTag(ImageBytes.Encode(".tiff", colour), 274, (ushort)orientation));
            MustBe(grey, "deep.tiff", ImageBytes.TiffWithTag(ImageBytes.Encode(".tiff", sixteen), 274, (ushort)orientation));
        });

        void MustBe(Mat right, string name, byte[] bytes)
        {
            using Mat read = Load(name, bytes);
            Assert.That(read.Size(), Is.EqualTo(right.Size()), name);
            Assert.That(read.Size() == right.Size() ? Cv2.Norm(read, right, NormTypes.INF) : 255, Is.Zero, name);
        }
    }

    // 28 mm on film; else 5.4 mm on a sensor of 1280 columns with 250 of them per mm (6350 per inch), or 2500 per centimetre.
    [TestCase(28 / 35.0, 0xA405, 28u, 0x920A, 54u)]
    [TestCase(5.4 / (1280 / 250.0), 0x920A, 54u, 0xA002, 1280u, 0xA20E, 63500u, 0xA210, 2u)]
    [TestCase(5.4 / (1280 / 250.0), 0x920A, 54u, 0xA002, 1280u, 0xA20E, 25000u, 0xA210, 3u)]
    [TestCase(5.4 / (1280 / 250.0), 0x920A, 54u, 0xA002, 1280u, 0xA20E, 63500u)]
    [TestCase(null, 0x920A, 54u)]
    [TestCase(null, 0xA405, 0u, 0x920A, 54u, 0xA002, 1280u, 0xA20E, 0u)]
    [TestCase(null, 0x920A, 54u, 0xA002, 1280u, 0xA20E, 63500u, 0xA210, 9u)]
    public void FocalLengthsAreRead(double? expected, params object[] tags)
    {
        byte[] exif = Exif([.. tags.Chunk(2).Select(tag => ((int)tag[0], (uint)tag[1]))]);
        Assert.That(ExifFocal.Read(exif), expected is { } number ? Is.EqualTo(number).Within(1e-9) : Is.Null);
    }

    [Test]
    public void DamagedDataTellNothingAndDoNotThrow([Range(0, 83)] int length) =>
        Assert.That(() => ExifFocal.Read(Exif([(0x920A, 54), (0xA002, 1280), (0xA20E, 63500)]).AsSpan(0, length)), Is.Null);

    [Test]
    public void LoadedImagesKnowIt()
    {
        using Mat grey = TestImages.Speckle(40, 24, 2);
        byte[] jpeg = ImageBytes.JpegWithExif(ImageBytes.Encode(".jpg", grey), Exif([(0xA405, 50)]));
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.jpg"], jpeg);
        using StoredImage image = ImageFile.LoadStored(folder["a.jpg"]);
        Assert.That(image.RelativeFocal, Is.EqualTo(50 / 35.0).Within(1e-12));
    }

    // A directory with a pointer to another one with the tags: fractions of ten for lengths and resolutions, 16 and 32 bits for the rest.
    private static byte[] Exif((int Tag, uint Value)[] tags)
    {
        const int Details = 8 + 2 + 12 + 4;
        int fractions = Details + 2 + (12 * tags.Length) + 4;
        var file = new List<byte>([.. "II*\0"u8, 8, 0, 0, 0, 1, 0, .. Entry(0x8769, 4, Details), 0, 0, 0, 0, (byte)tags.Length, 0]);
        var behind = new List<byte>();
        foreach ((int tag, uint value) in tags)
        {
            bool fraction = tag is 0x920A or 0xA20E;
            file.AddRange(fraction ? Entry(tag, 5, (uint)(fractions + behind.Count)) : Entry(tag, (ushort)(tag == 0xA002 ? 4 : 3), value));
            behind.AddRange(fraction ? [.. BitConverter.GetBytes(value), .. BitConverter.GetBytes(10u)] : (byte[])[]);
        }

        return [.. file, 0, 0, 0, 0, .. behind];

        static byte[] Entry(int tag, ushort type, uint value) =>
            [.. BitConverter.GetBytes((ushort)tag), .. BitConverter.GetBytes(type), .. BitConverter.GetBytes(1u), .. BitConverter.GetBytes(value)];
    }

    private static Mat Load(string name, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder[name], bytes);
        return ImageFile.LoadStored(folder[name]).Grey;
    }
}
