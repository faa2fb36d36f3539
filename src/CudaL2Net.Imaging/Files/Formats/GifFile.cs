namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through a GIF: its blocks to the trailer, and the codes of its first image.</summary>
internal static class GifFile
{
    public static bool Matches(byte[] file) => file.AsSpan().StartsWith("GIF87a"u8) || file.AsSpan().StartsWith("GIF89a"u8);

    public static ImageInfo Check(byte[] file)
    {
        var reader = new ByteReader(file, true, 6);
        int width = reader.UInt16("the header"), height = reader.UInt16("the header");
        var info = new ImageInfo(width, height) { HasAlpha = true };
        byte flags = reader.Byte("the header");
        reader.Take(2 + ColourBytes(flags), "the palette");
        int images = 0;
        while (true)
        {
            byte kind = reader.Byte("a block");
            switch (kind)
            {
                case 0x3B when images > 0:
                    if (images > 1)
                    {
                        info.Remark("is animated; only its first image is read");
                    }

                    return info;
                case 0x21:
                    reader.Byte("an extension");
                    Blocks(ref reader, null);
                    break;
                case 0x2C:
                    Image(ref reader, info, images++);
                    break;
                default:
                    throw Damage.Because($"it has a block {kind:X2} at byte {reader.Position - 1}");
            }
        }
    }

    private static int ColourBytes(byte flags) => (flags & 0x80) != 0 ? 3 << ((flags & 7) + 1) : 0;

    private static void Image(ref ByteReader reader, ImageInfo info, int number)
    {
        int left = reader.UInt16("an image"), top = reader.UInt16("an image"), width = reader.UInt16("an image"), height = reader.UInt16("an image");
        if (left + width > info.Width || top + height > info.Height || width == 0 || height == 0)
        {
            throw Damage.Because($"image {number + 1} of it lies outside its canvas");
        }

        reader.Take(ColourBytes(reader.Byte("an image")), "a palette");
        int bits = reader.Byte("an image");
        if (bits is < 2 or > 8)
        {
            throw Damage.Because($"image {number + 1} of it has codes of {bits} bits");
        }

        using MemoryStream? packed = number == 0 ? new MemoryStream() : null;
        Blocks(ref reader, packed);
        if (packed is not null && LzwCodes.Count(packed.ToArray(), bits, tiff: false, (long)width * height) != (long)width * height)
        {
            throw Damage.Because("its packed data hold less than the image");
        }
    }

    private static void Blocks(ref ByteReader reader, MemoryStream? kept)
    {
        for (int length; (length = reader.Byte("a block")) > 0;)
        {
            ReadOnlySpan<byte> block = reader.Take(length, "a block");
            kept?.Write(block);
        }
    }
}
