namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through a JPEG 2000 (ISO 15444-1): its boxes, and the code stream's tile-parts to the end. There is no checksum.</summary>
internal static class Jpeg2000File
{
    private const ushort Start = 0xFF4F, Size = 0xFF51, TilePart = 0xFF90, End = 0xFFD9;

    public static bool Matches(byte[] file) => file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 12, (byte)'j', (byte)'P', (byte)' ', (byte)' '])
        || file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0x4F, 0xFF, 0x51]);

    public static ImageInfo Check(byte[] file)
    {
        if (file[0] == 0xFF)
        {
            return CheckStream(file);
        }

        var reader = new ByteReader(file, false);
        while (reader.Left > 0)
        {
            int start = reader.Position;
            ulong length = reader.UInt32("a box");
            ReadOnlySpan<byte> type = reader.Take(4, "a box");
            length = length == 1 ? reader.UInt64("a box") : length == 0 ? (ulong)(file.Length - start) : length;
            int head = reader.Position - start;
            if (length < (ulong)head)
            {
                throw Damage.Because($"a box at byte {start} has a length of {length}");
            }

            ReadOnlySpan<byte> data = reader.Take((long)Math.Min(length, int.MaxValue) - head, "a box");
            if (type.SequenceEqual("jp2c"u8))
            {
                return CheckStream(data);
            }
        }

        throw Damage.Cut("the image is missing");
    }

    private static ImageInfo CheckStream(ReadOnlySpan<byte> stream)
    {
        var reader = new ByteReader(stream, false);
        if (reader.UInt16("the image") != Start || reader.UInt16("the image") != Size || reader.UInt16("the image") < 41)
        {
            throw Damage.Because("its image does not start as one");
        }

        reader.Take(2, "the size");
        long right = reader.UInt32("the size"), bottom = reader.UInt32("the size"), left = reader.UInt32("the size"), top = reader.UInt32("the size");
        long tileWidth = reader.UInt32("the size"), tileHeight = reader.UInt32("the size");
        long tileLeft = reader.UInt32("the size"), tileTop = reader.UInt32("the size");
        int components = reader.UInt16("the size"), bits = (reader.Byte("the size") & 0x7F) + 1;
        var info = new ImageInfo(right - left, bottom - top) { IsDeep = bits > 8, HasAlpha = components == 4 };
        if (tileWidth == 0 || tileHeight == 0 || components == 0)
        {
            throw Damage.Because("its tiles have no size");
        }

        long tiles = (right - tileLeft + tileWidth - 1) / tileWidth * ((bottom - tileTop + tileHeight - 1) / tileHeight);
        var seen = new HashSet<int>();
        reader.Seek(2, "the size");
        for (bool body = false; ;)
        {
            int start = reader.Position;
            ushort marker = reader.UInt16("a marker");
            if (marker == End)
            {
                return seen.Count == tiles ? info : throw Damage.Cut($"{tiles - seen.Count} of its {tiles} tiles are missing");
            }

            if (marker != TilePart)
            {
                int length = marker >> 8 == 0xFF && !body
                    ? reader.UInt16("a segment")
                    : throw Damage.Because($"there is no marker at byte {start} of the image");
                reader.Take(length - 2, "a segment");
                continue;
            }

            reader.Take(2, "a tile");
            seen.Add(reader.UInt16("a tile"));
            uint part = reader.UInt32("a tile");
            reader.Seek(part == 0 ? stream.Length - 2 : start + (long)part, "a tile");
            body = true;
        }
    }
}
