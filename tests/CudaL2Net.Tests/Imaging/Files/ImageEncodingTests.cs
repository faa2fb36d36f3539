using System.Globalization;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Files;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sources;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Files;

/// <summary>One image in several encodings, ranges, orientations, with transparency: equal pixels, and what is odd is said once.</summary>
public sealed class ImageEncodingTests
{
    private const int Width = 29, Height = 17;

    private readonly TemporaryFolder folder = new();

    [OneTimeTearDown]
    public void DeleteFolder() => folder.Dispose();

    [Test]
    public void EveryRangeOfPgmAndPpmGivesTheSamePixels([Values(1, 2, 3, 15, 100, 127, 254, 255, 256, 300, 511, 1000, 1023, 4095, 40_000, 65_535)] int white)
    {
        // The levels that both this range and bytes have.
        int[] samples = [.. Enumerable.Range(0, Width * Height).Select(i => white < 255 ? i % (white + 1) : (int)Math.Round(i % 256 * (white / 255.0)))];
        byte[] expected = [.. samples.Select((sample, i) => (byte)(white < 255 ? Math.Round(sample * 255.0 / white, MidpointRounding.AwayFromZero) : i % 256))];
        byte[][] bytes = [.. samples.Select(sample => white > 255 ? new[] { (byte)(sample >> 8), (byte)sample } : [(byte)sample])];
        byte[] binary = [.. bytes.SelectMany(sample => sample)], binary3 = [.. bytes.SelectMany(sample => (byte[])[.. sample, .. sample, .. sample])];
        Assert.Multiple(() =>
        {
            Assert.That(Pixels("a.pgm", [.. Head("P5"), .. binary]), Is.EqualTo(expected), "P5");
            Assert.That(Pixels("a.pgm", [.. Head("P2"), .. Text(samples)]), Is.EqualTo(expected), "P2");
            Assert.That(Pixels("a.ppm", [.. Head("P6"), .. binary3]), Is.EqualTo(expected), "P6");
            Assert.That(Pixels("a.ppm", [.. Head("P3"), .. Text(samples.SelectMany(sample => Enumerable.Repeat(sample, 3)))]), Is.EqualTo(expected), "P3");
        });

        byte[] Head(string kind) => Encoding.ASCII.GetBytes($"{kind} # made by a test\n{Width} {Height}\n{white.ToString(CultureInfo.InvariantCulture)}\n");

        static byte[] Text(IEnumerable<int> numbers) => Encoding.ASCII.GetBytes(string.Join(' ', numbers));
    }

    [Test]
    public void BitmapsOfPbmAndPngAreTheSame()
    {
        bool[] black = [.. Enumerable.Range(0, Width * Height).Select(i => i * 7 % 5 < 2)];
        byte[] expected = [.. black.Select(dark => (byte)(dark ? 0 : 255))];
        byte[][] rows = [.. black.Chunk(Width).Select(row => Packed(Array.ConvertAll(row, dark => dark ? 1 : 0), 1))];
        string digits = string.Concat(black.Select(dark => dark ? '1' : '0'));
        byte[][] light = [.. black.Chunk(Width).Select(row => Packed(Array.ConvertAll(row, dark => dark ? 0 : 1), 1))];
        Assert.Multiple(() =>
        {
            Assert.That(Pixels("a.pbm", [.. Encoding.ASCII.GetBytes($"P4\n{Width} {Height}\n"), .. rows.SelectMany(row => row)]), Is.EqualTo(expected));
            Assert.That(Pixels("a.pbm", Encoding.ASCII.GetBytes($"P1\n{Width} {Height}\n{digits}")), Is.EqualTo(expected));
            Assert.That(Pixels("a.png", ImageBytes.Png(Width, Height, 1, 0, light)), Is.EqualTo(expected));
        });
    }

    [Test]
    public void PngOfEveryDepthGivesThePixelsOfPgm([Values(1, 2, 4, 8, 16)] int depth)
    {
        int white = (1 << depth) - 1;
        int[] samples = [.. Enumerable.Range(0, Width * Height).Select(i => (int)((long)i * 131_071 % (white + 1)))];
        byte[] png = ImageBytes.Png(Width, Height, depth, 0, samples.Chunk(Width).Select(row => Packed(row, depth)));
        byte[] pgm = Encoding.ASCII.GetBytes($"P2 {Width} {Height} {white} {string.Join(' ', samples)}");
        Assert.That(Pixels("a.png", png), Is.EqualTo(Pixels("a.pgm", pgm)));
    }

    [Test]
    public void SixteenBitsAreTheSameInPngTiffAndPgmAlsoWhereTheyUseFewer([Values(8, 10, 12, 14, 16)] int bits)
    {
        using var image = new Mat(Height, Width, MatType.CV_16UC1);
        int[] samples = [.. Enumerable.Range(0, Width * Height).Select(i => i == 0 ? (1 << bits) - 1 : (int)((long)i * 40_503 % (1 << bits)))];
        image.SetArray(Array.ConvertAll(samples, sample => (ushort)sample));
        byte[] expected = Array.ConvertAll(samples, sample => (byte)(sample >> (bits - 8)));
        byte[] pgm = [.. Encoding.ASCII.GetBytes($"P5\n{Width} {Height}\n65535\n"),
            .. samples.SelectMany(sample => new[] { (byte)(sample >> 8), (byte)sample })];
        Assert.Multiple(() =>
        {
            Assert.That(Pixels("a.png", ImageBytes.Encode(".png", image)), Is.EqualTo(expected));
            Assert.That(Pixels("a.tiff", ImageBytes.Encode(".tiff", image)), Is.EqualTo(expected));
            Assert.That(Pixels("a.pgm", pgm), Is.EqualTo(expected));
            Assert.That(Remarks(() => Pixels("b.png", ImageBytes.Encode(".png", image))), bits == 16
                ? Is.Empty
                : Has.Count.EqualTo(1).And.One.Contains("b.png").And.One.Contains($"{bits} of 16 bits"));
        });
    }

    [Test]
    public void FloatTiffsAreScaledByTheirRangeAndItIsSaid()
    {
        using Mat grey = TestImages.Speckle(60, 50, 3), unit = new(), metres = new();
        grey.ConvertTo(unit, MatType.CV_32F, 1 / 255.0);
        grey.ConvertTo(metres, MatType.CV_32F, 10, -300);
        byte[] expected = Pixels("a.png", ImageBytes.Encode(".png", grey));
        Assert.Multiple(() =>
        {
            Assert.That(Pixels("unit.tiff", ImageBytes.Encode(".tiff", unit)), Is.EqualTo(expected));
            Assert.That(Pixels("metres.tiff", ImageBytes.Encode(".tiff", metres)), Is.EqualTo(expected));
            Assert.That(Remarks(() => Pixels("metres.tiff", ImageBytes.Encode(".tiff", metres))), Has.Count.EqualTo(1).And.One.Contains("-300"));
        });
        unit.Set(5, 5, float.NaN);
        Assert.That(
            () => Pixels("nan.tiff", ImageBytes.Encode(".tiff", unit)),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("nan.tiff has values"));
    }

    [TestCase(".png")]
    [TestCase(".webp")]
    [TestCase(".tiff")]
    public void TransparentPixelsGiveNoKeypointsAndItIsSaidOnce(string ending)
    {
        using Mat grey = TestImages.Speckle(200, 160, 9), alpha = new(160, 200, MatType.CV_8UC1, new Scalar(255)), image = new();
        Cv2.Rectangle(alpha, new Rect(60, 0, 90, 160), new Scalar(0), -1);
        Cv2.Merge([grey, grey, grey, alpha], image);
        string path = folder["cutout" + ending];
        File.WriteAllBytes(path, ImageBytes.Encode(ending, image, ending == ".webp" ? [(ImwriteFlags.WebPQuality, 101)] : []));
        Keypoint[] found = [];
        List<string> remarks = Remarks(() =>
        {
            for (int i = 0; i < 2; i++)
            {
                using Mat loaded = ImageFile.LoadGrey(path);
                found = KeypointDetector.Detect(loaded);
            }
        });
        Assert.That(found, Is.Not.Empty);
        Assert.That(found.Select(keypoint => (int)Math.Round(keypoint.X)), Has.All.Matches<int>(x => x is < 60 or >= 150));
        Assert.That(remarks, Has.Count.EqualTo(1));
        Assert.That(remarks[0], Does.StartWith(path).And.Match(@"[1-9]\d* of \d+ keypoints"));
    }

    [Test]
    public void OrientationTurnsAllFormatsAlike([Range(1, 8)] int orientation)
    {
        using Mat grey = TestImages.Speckle(40, 24, 2), colour = new(), expected = Turned(grey, orientation);
        Cv2.CvtColor(grey, colour, ColorConversionCodes.GRAY2BGR);
        byte[] exif = ImageBytes.Exif(orientation), jpeg = ImageBytes.Encode(".jpg", grey, (ImwriteFlags.JpegQuality, 100));
        using Mat expectedJpeg = Turned(Load("flat.jpg", jpeg), orientation);
        using var sixteen = new Mat();
        grey.ConvertTo(sixteen, MatType.CV_16U, 257);
        grey.GetArray(out byte[] pixels);
        Assert.Multiple(() =>
        {
            MustBe(expectedJpeg, "a.jpg", ImageBytes.JpegWithExif(jpeg, exif));
            MustBe(expected, "a.png", ImageBytes.Png(40, 24, 8, 0, pixels.Chunk(40), ("eXIf", exif)));
            MustBe(expected, "a.webp", ImageBytes.WebpWithExif(ImageBytes.Encode(".webp", colour, (ImwriteFlags.WebPQuality, 101)), 40, 24, exif));
            MustBe(expected, "a.tiff", ImageBytes.TiffWithTag(ImageBytes.Encode(".tiff", colour), 274, (ushort)orientation));
            MustBe(expected, "grey.tiff", ImageBytes.TiffWithTag(ImageBytes.Encode(".tiff", grey), 274, (ushort)orientation));
            MustBe(expected, "deep.tiff", ImageBytes.TiffWithTag(ImageBytes.Encode(".tiff", sixteen), 274, (ushort)orientation));
        });

        void MustBe(Mat right, string name, byte[] bytes)
        {
            using Mat read = Load(name, bytes);
            Assert.That(read.Size(), Is.EqualTo(right.Size()), name);
            Assert.That(read.Size() == right.Size() ? Cv2.Norm(read, right, NormTypes.INF) : 255, Is.Zero, name);
        }
    }

    [Test]
    public void DamagedExifIsSaid()
    {
        byte[] jpeg = ImageBytes.JpegWithExif(ImageBytes.Of("grey.jpg"), new byte[40]);
        Assert.That(Remarks(() => Load("exif.jpg", jpeg).Dispose()), Has.Count.EqualTo(1).And.One.Contains("exif.jpg has damaged EXIF"));
    }

    [TestCase("heic", "a HEIC image")]
    [TestCase("mif1", "a HEIC image")]
    [TestCase("avif", "an AVIF image")]
    [TestCase("crx ", "a camera's raw file")]
    public void FormatsOfPhonesAndCamerasAreNamedAsWhatTheyAre(string brand, string name)
    {
        byte[] file = [0, 0, 0, 24, .. "ftyp"u8, .. Encoding.ASCII.GetBytes(brand), 0, 0, 0, 0, .. "mif1"u8, 0, 0, 0, 0, 1, 2, 3];
        Assert.That(() => Load("IMG_1.JPG", file), Throws.TypeOf<InvalidDataException>().With.Message.Contains(name).And.Message.Contains("convert it"));
    }

    [Test]
    public void AFolderTellsOfTheImagesThatItPassesOver()
    {
        Directory.CreateDirectory(folder["photos"]);
        foreach (string name in new[] { "a.heic", "b.HEIC", "c.avif" })
        {
            File.WriteAllBytes(folder[Path.Combine("photos", name)], [1]);
        }

        const string PassedOver = "3 images of formats that are not read";
        Assert.That(() => new ImageFolderSource(folder["photos"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(PassedOver));
        File.WriteAllBytes(folder[Path.Combine("photos", "d.gif")], ImageBytes.Of("colour.gif"));
        ImageFolderSource? source = null;
        Assert.That(Remarks(() => source = new ImageFolderSource(folder["photos"])), Has.Count.EqualTo(1).And.One.Contains(PassedOver));
        Assert.That(source!.Files, Is.EqualTo(1));
    }

    [Test]
    public void AFolderWithoutAReadableImageTellsWhatTheFirstIs()
    {
        Directory.CreateDirectory(folder["phone"]);
        File.WriteAllBytes(folder[Path.Combine("phone", "IMG_1.JPG")], [0, 0, 0, 16, .. "ftypheic"u8, 0, 0, 0, 0]);
        Assert.That(
            () => new ImageFolderSource(folder["phone"]).Build(10, new PairOptions(), 1),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("none of the 1 files").And.Message.Contains("IMG_1.JPG is a HEIC image"));
    }

    [Test]
    public void AnimationsAreReadAtTheirFirstImageAndItIsSaid()
    {
        byte[] gif = ImageBytes.Of("colour.gif");
        int image = gif.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0x21, 0xF9]);
        image = image < 0 ? 13 + (3 << ((gif[10] & 7) + 1)) : image;
        byte[] twice = [.. gif[..^1], .. gif[image..^1], 0x3B];
        using Mat once = Load("once.gif", gif);
        Mat? read = null;
        Assert.That(Remarks(() => read = Load("twice.gif", twice)), Has.Count.EqualTo(1).And.One.Contains("twice.gif is animated"));
        using (read)
        {
            Assert.That(Cv2.Norm(read!, once, NormTypes.INF), Is.Zero);
        }
    }

    [Test]
    public void NobodyElseDecodesFiles()
    {
        foreach (string assembly in new[] { "CudaL2Net.Imaging", "CudaL2Net.Evaluation", "CudaL2Net.Cli", "CudaL2Net.Bench" })
        {
            using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
            MetadataReader metadata = file.GetMetadataReader();
            string[] called = [.. metadata.MemberReferences.Select(handle => metadata.GetString(metadata.GetMemberReference(handle).Name))];
            Assert.That(called, Has.None.EqualTo("ImRead"), assembly);
            Assert.That(called.Contains("ImDecode"), Is.EqualTo(assembly == "CudaL2Net.Imaging"), assembly);
        }
    }

    private static List<string> Remarks(Action work)
    {
        var heard = new List<string>();
        using (ImageRemarks.Listen(heard.Add))
        {
            work();
        }

        return heard;
    }

    private static byte[] Packed(int[] samples, int depth)
    {
        byte[] row = new byte[((samples.Length * depth) + 7) / 8];
        for (int i = 0; i < samples.Length; i++)
        {
            if (depth == 16)
            {
                (row[2 * i], row[(2 * i) + 1]) = ((byte)(samples[i] >> 8), (byte)samples[i]);
            }
            else
            {
                row[i * depth / 8] |= (byte)(samples[i] << (8 - depth - (i * depth % 8)));
            }
        }

        return row;
    }

    private static Mat Turned(Mat image, int orientation)
    {
        Mat turned = image.Clone();
        if (orientation >= 5)
        {
            turned = turned.T();
        }

        return orientation switch
        {
            2 or 6 => turned.Flip(FlipMode.Y),
            3 or 7 => turned.Flip(FlipMode.XY),
            4 or 8 => turned.Flip(FlipMode.X),
            _ => turned.Clone(),
        };
    }

    private byte[] Pixels(string name, byte[] bytes)
    {
        using Mat image = Load(name, bytes);
        Assert.That(image.GetArray(out byte[] pixels), Is.True);
        return pixels;
    }

    private Mat Load(string name, byte[] bytes)
    {
        File.WriteAllBytes(folder[name], bytes);
        return ImageFile.LoadGrey(folder[name]);
    }
}
