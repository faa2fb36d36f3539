namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through a WebP: its chunks and their sizes. It has no checksum.</summary>
internal static class WebpFile
{
    public static bool Matches(byte[] file) => file.Length >= 12 && file.AsSpan().StartsWith("RIFF"u8) && file.AsSpan(8).StartsWith("WEBP"u8);

    public static ImageInfo Check(byte[] file)
    {
        uint size = new ByteReader(file, true, 4).UInt32("the header");
        var whole = new ByteReader(file, true, 8);
        var reader = new ByteReader(whole.Take(size, $"the file of {size + 8L} bytes"), true, 4);
        ImageInfo? canvas = null, image = null;
        ReadOnlySpan<byte> exif = [];
        bool alpha = false, frames = false;
        while (reader.Left > 0)
        {
            ReadOnlySpan<byte> type = reader.Take(4, "a chunk");
            uint length = reader.UInt32("a chunk");
            ReadOnlySpan<byte> data = reader.Take(length, "a chunk");
            if ((length & 1) != 0 && reader.Left > 0)
            {
                reader.Take(1, "a chunk");
            }

            if (type.SequenceEqual("VP8X"u8))
            {
                canvas = data.Length >= 10 ? new ImageInfo(UInt24(data[4..]) + 1, UInt24(data[7..]) + 1) : throw Damage.Because("its header is too short");
            }
            else if (type.SequenceEqual("VP8 "u8) && image is null)
            {
                image = Lossy(data);
            }
            else if (type.SequenceEqual("VP8L"u8) && image is null)
            {
                image = Lossless(data);
                alpha |= (data[4] & 0x10) != 0;
            }
            else if (type.SequenceEqual("EXIF"u8))
            {
                exif = data.StartsWith("Exif\0\0"u8) ? data[6..] : data;
            }

            alpha |= type.SequenceEqual("ALPH"u8);
            frames |= type.SequenceEqual("ANMF"u8);
        }

        ImageInfo info = frames && canvas is not null ? canvas : image ?? throw Damage.Cut("the image is missing");
        if (canvas is not null && (canvas.Width != info.Width || canvas.Height != info.Height))
        {
            throw Damage.Because($"its header tells of {canvas.Width} x {canvas.Height} pixels, its image of {info.Width} x {info.Height}");
        }

        info.HasAlpha = alpha || frames;
        if (!exif.IsEmpty)
        {
            Exif.Read(info, exif);
        }

        if (frames)
        {
            info.Remark("is animated; only its first image is read");
        }

        return info;
    }

    private static int UInt24(ReadOnlySpan<byte> data) => data[0] | (data[1] << 8) | (data[2] << 16);

    // RFC 6386, 9.1 and 9.5: a frame's tag, and the sizes of its parts.
    private static ImageInfo Lossy(ReadOnlySpan<byte> data)
    {
        if (data.Length < 10 || (data[0] & 1) != 0 || data[3] != 0x9D || data[4] != 0x01 || data[5] != 0x2A)
        {
            throw Damage.Because("its image does not start as one");
        }

        int first = UInt24(data) >> 5;
        return first <= data.Length - 10
            ? new ImageInfo((data[6] | (data[7] << 8)) & 0x3FFF, (data[8] | (data[9] << 8)) & 0x3FFF)
            : throw Damage.Cut("its first part is longer than its image");
    }

    private static ImageInfo Lossless(ReadOnlySpan<byte> data)
    {
        if (data.Length < 5 || data[0] != 0x2F || data[4] >> 5 != 0)
        {
            throw Damage.Because("its image does not start as one");
        }

        int size = data[1] | (data[2] << 8) | (data[3] << 16) | (data[4] << 24);
        return new ImageInfo((size & 0x3FFF) + 1, ((size >> 14) & 0x3FFF) + 1);
    }
}
