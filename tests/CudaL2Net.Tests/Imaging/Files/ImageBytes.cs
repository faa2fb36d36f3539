using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using CudaL2Net.Imaging.Files.Formats;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Files;

/// <summary>Makes the bytes of image files, also of forms that OpenCV does not write.</summary>
internal static class ImageBytes
{
    /// <summary>The same image in every format and form; the names tell which.</summary>
    public static IReadOnlyList<string> Forms { get; } =
    [
        "grey.jpg", "colour.jpg", "progressive.jpg", "progressive-grey.jpg", "restarts.jpg", "fine.jpg", "grey.png", "colour.png", "sixteen.png", "lzw.tiff",
        "deflate.tiff", "packbits.tiff", "none.tiff", "jpeg.tiff", "lossy.webp", "lossless.webp", "grey.bmp", "grey.pgm", "colour.ppm", "colour.gif",
    ];

    public static byte[] Of(string form)
    {
        using Mat grey = TestImages.Speckle(120, 100, 7), colour = new(), sixteen = new();
        Cv2.Merge([grey, Turned(grey, FlipMode.X), Turned(grey, FlipMode.Y)], colour);
        grey.ConvertTo(sixteen, MatType.CV_16U, 257);
        return form switch
        {
            "grey.jpg" => Encode(".jpg", grey),
            "colour.jpg" => Encode(".jpg", colour, (ImwriteFlags.JpegQuality, 80)),
            "progressive.jpg" => Encode(".jpg", colour, (ImwriteFlags.JpegProgressive, 1), (ImwriteFlags.JpegQuality, 80)),
            "progressive-grey.jpg" => Encode(".jpg", grey, (ImwriteFlags.JpegProgressive, 1)),
            "restarts.jpg" => Encode(".jpg", colour, (ImwriteFlags.JpegRstInterval, 3), (ImwriteFlags.JpegQuality, 80)),
            "fine.jpg" => Encode(".jpg", grey, (ImwriteFlags.JpegQuality, 100)),
            "sixteen.png" => Encode(".png", sixteen),
            "lzw.tiff" => Encode(".tiff", colour, (ImwriteFlags.TiffCompression, 5)),
            "deflate.tiff" => Encode(".tiff", colour, (ImwriteFlags.TiffCompression, 8)),
            "packbits.tiff" => Encode(".tiff", colour, (ImwriteFlags.TiffCompression, 32773)),
            "none.tiff" => Encode(".tiff", colour, (ImwriteFlags.TiffCompression, 1)),
            "jpeg.tiff" => Encode(".tiff", colour, (ImwriteFlags.TiffCompression, 7), ((ImwriteFlags)278, 32)),
            "lossy.webp" => Encode(".webp", colour, (ImwriteFlags.WebPQuality, 80)),
            "lossless.webp" => Encode(".webp", colour, (ImwriteFlags.WebPQuality, 101)),
            _ => Encode(Path.GetExtension(form), form.StartsWith("grey", StringComparison.Ordinal) ? grey : colour),
        };
    }

    public static byte[] Encode(string ending, Mat image, params (ImwriteFlags Flag, int Value)[] options)
    {
        Cv2.ImEncode(ending, image, out byte[] bytes, [.. options.Select(option => new ImageEncodingParam(option.Flag, option.Value))]);
        return bytes;
    }

    /// <summary>A PNG without interlacing.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows that the header tells of.</param>
    /// <param name="depth">Bits of a sample.</param>
    /// <param name="colour">PNG's type: 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha.</param>
    /// <param name="rows">The rows as they are stored, without filter bytes.</param>
    /// <param name="extra">Chunks between header and data.</param>
    public static byte[] Png(int width, int height, int depth, int colour, IEnumerable<byte[]> rows, params (string Type, byte[] Data)[] extra)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach (byte[] row in rows)
            {
                zlib.WriteByte(0);
                zlib.Write(row);
            }
        }

        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = ((byte)depth, (byte)colour);
        var file = new List<byte> { 0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10 };
        foreach ((string type, byte[] data) in (IEnumerable<(string, byte[])>)[("IHDR", header), .. extra, ("IDAT", packed.ToArray()), ("IEND", [])])
        {
            byte[] named = [.. Encoding.ASCII.GetBytes(type), .. data];
            file.AddRange([.. BigEndian(data.Length), .. named, .. BigEndian((int)Crc32.Of(named))]);
        }

        return [.. file];
    }

    /// <summary>EXIF data with an orientation.</summary>
    public static byte[] Exif(int orientation) =>
        [.. "MM\0*"u8, .. BigEndian(8), 0, 1, 0x01, 0x12, 0, 3, .. BigEndian(1), 0, (byte)orientation, 0, 0, .. BigEndian(0)];

    public static byte[] JpegWithExif(byte[] jpeg, byte[] exif)
    {
        int length = 2 + 6 + exif.Length;
        return [.. jpeg[..2], 0xFF, 0xE1, (byte)(length >> 8), (byte)length, .. "Exif\0\0"u8, .. exif, .. jpeg[2..]];
    }

    /// <summary>A WebP with the extended header.</summary>
    public static byte[] WebpWithExif(byte[] webp, int width, int height, byte[] exif)
    {
        byte[] header = [8, 0, 0, 0, (byte)(width - 1), 0, 0, (byte)(height - 1), 0, 0];
        byte[] chunks = [.. "WEBPVP8X"u8, .. LittleEndian(10), .. header, .. webp[12..], .. "EXIF"u8, .. LittleEndian(exif.Length), .. exif];
        return [.. "RIFF"u8, .. LittleEndian(chunks.Length), .. chunks];
    }

    /// <summary>A little-endian TIFF with one tag more, a number of 16 bits.</summary>
    public static byte[] TiffWithTag(byte[] tiff, ushort tag, ushort value)
    {
        int directory = BinaryPrimitives.ReadInt32LittleEndian(tiff.AsSpan(4)), entries = BinaryPrimitives.ReadUInt16LittleEndian(tiff.AsSpan(directory));
        byte[] added = [(byte)tag, (byte)(tag >> 8), 3, 0, .. LittleEndian(1), (byte)value, (byte)(value >> 8), 0, 0];
        byte[][] all = [.. Enumerable.Range(0, entries).Select(i => tiff[(directory + 2 + (12 * i))..][..12])
            .Where(entry => BinaryPrimitives.ReadUInt16LittleEndian(entry) != tag).Append(added)
            .OrderBy(entry => BinaryPrimitives.ReadUInt16LittleEndian(entry))];
        byte[] even = tiff.Length % 2 == 0 ? tiff : [.. tiff, 0];
        byte[] file = [.. even, (byte)all.Length, 0, .. all.SelectMany(entry => entry), 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), even.Length);
        return file;
    }

    private static Mat Turned(Mat image, FlipMode mode)
    {
        var turned = new Mat();
        Cv2.Flip(image, turned, mode);
        return turned;
    }

    private static byte[] BigEndian(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] LittleEndian(int value) => [.. BigEndian(value).Reverse()];
}
