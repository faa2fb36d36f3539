using System.Buffers.Binary;
using System.Text;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Data;
using OpenCvSharp;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Images, strips and mosaics.</summary>
internal static class ImageReaders
{
    private const int Width = 23, Height = 17;

    public static Reader Bmp(string name) => new(name, "image.bmp",
        [
            new("8 bits", Tests.Formats.Bmp.Encode(Width, Height, Written.Noise(Width * Height, 1), 8, topDown: false)),
            new("24 bits", Tests.Formats.Bmp.Encode(Width, Height, Written.Noise(Width * Height, 2), 24, topDown: true)),
        ],
        (path, digest) =>
        {
            (int width, int height, byte[] pixels) = BmpFile.ReadGrey(path);
            digest.Add(width);
            digest.Add(height);
            digest.Add(pixels);
        })
    { Promise = Promise.NoticesCuts };

    public static Reader Jpeg(string name) => Image(name, ".jpg", Promise.NoticesCuts,
        new("grey", Encode(".jpg", Grey())),
        new("colour", Encode(".jpg", Colour())),
        new("progressive", Encode(".jpg", Colour(), new ImageEncodingParam(ImwriteFlags.JpegProgressive, 1))),
        new("restarts", Encode(".jpg", Colour(), new ImageEncodingParam(ImwriteFlags.JpegRstInterval, 1))),
        new("huge", Patched(Encode(".jpg", Grey()), [0xFF, 0xC0], 5, [0xFF, 0xDC, 0xFF, 0xDC]), IsValid: false)) with
    { Share = 2 };

    public static Reader Png(string name) => Image(name, ".png", Promise.NoticesAll,
        new("grey", Encode(".png", Grey())),
        new("colour", Encode(".png", Colour())),
        new("16 bits", Encode(".png", Converted(Grey(), MatType.CV_16UC1, 257))),
        new("transparent", Encode(".png", Transparent())),
        new("huge", WithRightSums(Patched(Encode(".png", Grey()), Encoding.ASCII.GetBytes("IHDR"), 4, [0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff])), IsValid: false),
        new("wide", WithRightSums(Patched(Encode(".png", Grey()), Encoding.ASCII.GetBytes("IHDR"), 4, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1])),
            IsValid: false)) with
    {
        Share = 2,
        Repair = WithRightSums,
    };

    public static Reader Tiff(string name) => Image(name, ".tiff", Promise.NoticesCuts,
        new("grey", Encode(".tiff", Grey())),
        new("without compression", Encode(".tiff", Colour(), new ImageEncodingParam(ImwriteFlags.TiffCompression, 1))),
        new("16 bits", Encode(".tiff", Converted(Grey(), MatType.CV_16UC1, 257))),
        new("floats", Encode(".tiff", Converted(Grey(), MatType.CV_32FC1, 1 / 255.0)), IsValid: false)) with
    { Share = 2 };

    public static Reader Webp(string name) => Image(name, ".webp", Promise.NoticesCuts,
        new("lossy", Encode(".webp", Colour(), new ImageEncodingParam(ImwriteFlags.WebPQuality, 80))),
        new("lossless", Encode(".webp", Colour(), new ImageEncodingParam(ImwriteFlags.WebPQuality, 101))));

    public static Reader Pnm(string name) => Image(name, ".pgm", Promise.NoticesCuts,
        new("binary grey", Encode(".pgm", Grey())),
        new("binary colour", Encode(".ppm", Colour())),
        new("text", Encoding.ASCII.GetBytes(
            $"P2\n# a comment\n{Width} {Height}\n15\n{string.Join(' ', Written.Noise(Width * Height, 3).Select(value => value % 16))}\n")),
        new("16 bits", Encode(".pgm", Converted(Grey(), MatType.CV_16UC1, 257))),
        new("huge", [.. "P5 100000 100000 255\n"u8, 1, 2, 3], IsValid: false),
        new("huge text", [.. "P2 60000 60000 65535\n1 2 3"u8], IsValid: false)) with
    { Content = Content.Lines };

    // Whatever comes first of these is in a file that is named like another.
    public static Reader Any(string name) => Image(name, ".jpg", Promise.NoCrash,
        new("png", Encode(".png", Grey())),
        new("bmp", Encode(".bmp", Colour())),
        new("sun raster", Encode(".ras", Grey()), IsValid: false),
        new("radiance", Encode(".hdr", Converted(Colour(), MatType.CV_32FC3, 1 / 255.0)), IsValid: false),
        new("gif", [.. "GIF89a"u8, 255, 255, 255, 255, 0, 0, 0, 0x2c, 0, 0, 0, 0, 255, 255, 255, 255, 0, 8, 1, 0, 0], IsValid: false),
        new("heic", [0, 0, 0, 24, .. "ftypheic"u8, 0, 0, 0, 0, .. "mif1heic"u8, .. new byte[100]], IsValid: false),
        new("avif", [0, 0, 0, 24, .. "ftypavif"u8, 0, 0, 0, 0, .. "mif1avif"u8, .. new byte[100]], IsValid: false),
        new("web page", "<!DOCTYPE html><html><body>404</body></html>"u8.ToArray(), IsValid: false));

    public static Reader Strip(string name) => new(name, "strip.png", [new("two patches", StripOf(".png", 65, 2))], (path, digest) =>
        Add(digest, PatchStrip.Read(path)))
    {
        Promise = Promise.NoticesAll,
    };

    public static Reader W1bs(string name) => new(name, "strip.bmp", [new("two patches", StripOf(".bmp", 64, 2))], (path, digest) =>
    {
        string folder = Path.GetDirectoryName(path)!;
        File.Copy(path, Path.Combine(folder, "A", "2", "pair.bmp"), overwrite: true);
        try
        {
            (PatchStrip first, PatchStrip second) = W1bsDataset.Open(folder).Subsets.Single().Pairs.Single().Read();
            Add(digest, first);
            Add(digest, second);
        }
        catch (InvalidDataException error) when (error.Message.Contains("pair.bmp", StringComparison.Ordinal))
        {
            throw new InvalidDataException(error.Message.Replace(Path.Combine(folder, "A", "2", "pair.bmp"), path, StringComparison.Ordinal), error);
        }
    })
    {
        Promise = Promise.NoticesCuts,
        Surround = folder =>
        {
            Directory.CreateDirectory(Path.Combine(folder, "A", "1"));
            Directory.CreateDirectory(Path.Combine(folder, "A", "2"));
            File.WriteAllBytes(Path.Combine(folder, "A", "1", "pair.bmp"), StripOf(".bmp", 64, 2));
        },
    };

    public static Reader BrownMosaic(string name) => new(name, "patches0000.bmp",
        [new("one mosaic", Written.By(path => BmpFile.WriteGrey(path, 1024, Written.Noise(1024 * 1024, 9))))],
        (path, digest) =>
        {
            foreach (byte[] block in BrownDataset.Open(Path.GetDirectoryName(path)!).ReadPatches())
            {
                digest.Add(block);
            }
        })
    {
        Promise = Promise.NoticesCuts,
        Surround = folder => File.WriteAllText(Path.Combine(folder, "info.txt"), "5 0\n5 0\n8 0\n"),
        Share = 0.1,
    };

    /// <summary>Writes the right checksum behind every chunk of a PNG.</summary>
    public static byte[] WithRightSums(byte[] file)
    {
        const int Signature = 8, Around = 12;
        for (long at = Signature; at + Around <= file.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan((int)at));
            if (at + Around + length > file.Length)
            {
                break;
            }

            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan((int)(at + 8 + length)), Crc(file.AsSpan((int)at + 4, (int)length + 4)));
            at += Around + length;
        }

        return file;
    }

    // CRC-32 as PNG takes it.
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ (0xEDB88320 & (uint)-(int)(crc & 1));
            }
        }

        return ~crc;
    }

    private static Reader Image(string name, string ending, Promise promise, params Sample[] samples) => new(name, "image" + ending, samples, (path, digest) =>
    {
        using Mat image = ImageFile.LoadGrey(path);
        digest.Add(image.Width);
        if (!image.GetArray(out byte[] pixels))
        {
            throw new InvalidOperationException("the image is not of 8 bits and one channel");
        }

        digest.Add(pixels);
    })
    { Promise = promise };

    private static void Add(Digest digest, PatchStrip strip)
    {
        digest.Add(strip.Side);
        digest.Add(strip.Pixels);
    }

    private static byte[] StripOf(string ending, int side, int count) =>
        Encode(ending, Mat.FromPixelData(side * count, side, MatType.CV_8UC1, Written.Noise(side * side * count, 6)));

    private static byte[] Encode(string ending, Mat image, params ImageEncodingParam[] parameters)
    {
        using (image)
        {
            Cv2.ImEncode(ending, image, out byte[] bytes, parameters);
            return bytes;
        }
    }

    private static Mat Grey() => Mat.FromPixelData(Height, Width, MatType.CV_8UC1, Written.Noise(Width * Height, 7));

    private static Mat Colour() => Mat.FromPixelData(Height, Width, MatType.CV_8UC3, Written.Noise(Width * Height * 3, 8));

    private static Mat Transparent() => Mat.FromPixelData(Height, Width, MatType.CV_8UC4, Written.Noise(Width * Height * 4, 9));

    private static Mat Converted(Mat image, MatType type, double factor)
    {
        var converted = new Mat();
        image.ConvertTo(converted, type, factor);
        image.Dispose();
        return converted;
    }

    // The bytes this far behind a mark become these.
    private static byte[] Patched(byte[] file, byte[] mark, int behind, byte[] bytes)
    {
        bytes.CopyTo(file, file.AsSpan().IndexOf(mark) + behind);
        return file;
    }
}
