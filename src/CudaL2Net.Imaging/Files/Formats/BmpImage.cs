namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through a Windows bitmap. It has no checksum: only its sizes can be compared.</summary>
internal static class BmpImage
{
    private const int FileHeaderBytes = 14;

    public static bool Matches(byte[] file) => file.AsSpan().StartsWith("BM"u8);

    public static ImageInfo Check(byte[] file)
    {
        var reader = new ByteReader(file, true, 10);
        uint pixels = reader.UInt32("the header"), header = reader.UInt32("the header");
        bool old = header == 12;
        if (!old && header is < 40 or > 124)
        {
            throw Damage.Because($"its header has {header} bytes");
        }

        int width = old ? reader.UInt16("the header") : (int)reader.UInt32("the header");
        int height = old ? reader.UInt16("the header") : (int)reader.UInt32("the header");
        int planes = reader.UInt16("the header"), bits = reader.UInt16("the header");
        uint compression = old ? 0 : reader.UInt32("the header");
        if (planes != 1 || bits is not (1 or 4 or 8 or 16 or 24 or 32) || pixels < FileHeaderBytes + header)
        {
            throw Damage.Because($"its header has {planes} planes of {bits} bits and pixels from byte {pixels} on");
        }

        var info = new ImageInfo(width, Math.Abs((long)height)) { HasAlpha = bits == 32 };
        long stride = (((long)width * bits) + 31) / 32 * 4;
        reader.Seek(pixels, "the pixels");
        switch (compression)
        {
            case 0 or 3 or 6:
                reader.Take(stride * info.Height, $"the pixels of {width} x {info.Height}");
                return info;
            case 1 or 2:
                CheckRuns(ref reader, info, compression == 2);
                return info;
            default:
                throw Damage.NotRead($"a bitmap with compression {compression}");
        }
    }

    // Runs of (count, value), and escapes: end of row, end of image, a jump, values as they are. Without jumps every row must be full.
    private static void CheckRuns(ref ByteReader reader, ImageInfo info, bool four)
    {
        long x = 0, y = 0;
        bool jumped = false;
        while (true)
        {
            int count = reader.Byte("the packed pixels"), value = reader.Byte("the packed pixels");
            if (count > 0)
            {
                x += count;
            }
            else if (value <= 1)
            {
                y += value == 0 || x > 0 ? 1 : 0;
                bool full = (x >= info.Width || (value == 1 && x == 0)) && (value == 0 || y == info.Height);
                if (!full && !jumped)
                {
                    throw Damage.Because("its packed pixels do not fill its rows");
                }

                x = 0;
                if (value == 1)
                {
                    return;
                }
            }
            else if (value == 2)
            {
                x += reader.Byte("the packed pixels");
                y += reader.Byte("the packed pixels");
                jumped = true;
            }
            else
            {
                int bytes = four ? (value + 1) / 2 : value;
                reader.Take(bytes + (bytes & 1), "the packed pixels");
                x += value;
            }

            // Some programs pack the bytes that fill a row to a multiple of four.
            if (x > (info.Width + 3L) / 4 * 4 || y > info.Height)
            {
                throw Damage.Because("its packed pixels lie outside the image");
            }
        }
    }
}
