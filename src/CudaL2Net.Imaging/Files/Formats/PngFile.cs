namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through a PNG: the checksum of every chunk, the packed data's own, and exactly the image's rows.</summary>
internal static class PngFile
{
    private static readonly byte[] Signature = [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10];

    public static bool Matches(byte[] file) => file.AsSpan().StartsWith(Signature.AsSpan(0, 4));

    public static ImageInfo Check(byte[] file)
    {
        if (!file.AsSpan().StartsWith(Signature))
        {
            throw Damage.Because("its first eight bytes are not those of a PNG (was it copied as text?)");
        }

        var reader = new ByteReader(file, false, Signature.Length);
        using var packed = new MemoryStream();
        ReadOnlySpan<byte> header = [], exif = [];
        ImageInfo? info = null;
        bool frames = false, transparent = false, ended = false;
        while (!ended)
        {
            uint length = reader.UInt32("a chunk");
            int start = reader.Position;
            ReadOnlySpan<byte> checkedBytes = reader.Take(4L + length, "a chunk"), type = checkedBytes[..4], data = checkedBytes[4..];
            if (reader.UInt32("a chunk") != Crc32.Of(checkedBytes))
            {
                throw Damage.Because($"the checksum of the chunk at byte {start} does not agree");
            }

            if (info is null)
            {
                info = type.SequenceEqual("IHDR"u8) && data.Length == 13 ? Header(data) : throw Damage.Because("its first chunk is not the header");
                header = data;
            }
            else if (type.SequenceEqual("IDAT"u8))
            {
                packed.Write(data);
            }
            else if (type.SequenceEqual("eXIf"u8))
            {
                exif = data;
            }

            transparent |= type.SequenceEqual("tRNS"u8);
            frames |= type.SequenceEqual("fcTL"u8);
            ended = type.SequenceEqual("IEND"u8);
        }

        packed.Position = 0;
        CheckRows(info!, header, packed);
        info!.HasAlpha = transparent || header[9] is 4 or 6;
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

    private static ImageInfo Header(ReadOnlySpan<byte> data)
    {
        var reader = new ByteReader(data, false);
        uint width = reader.UInt32("the header"), height = reader.UInt32("the header");
        byte depth = data[8], colour = data[9];
        bool known = colour switch
        {
            0 => depth is 1 or 2 or 4 or 8 or 16,
            3 => depth is 1 or 2 or 4 or 8,
            2 or 4 or 6 => depth is 8 or 16,
            _ => false,
        };
        return known && data[10] == 0 && data[11] == 0 && data[12] <= 1
            ? new ImageInfo(width, height) { IsDeep = depth == 16 }
            : throw Damage.Because("its header cannot be");
    }

    private static void CheckRows(ImageInfo info, ReadOnlySpan<byte> header, Stream packed)
    {
        int bits = header[8] * header[9] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        (int X, int Y, int StepX, int StepY)[] passes = header[12] == 0
            ? [(0, 0, 1, 1)]
            : [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
        long expected = 0;
        foreach ((int x, int y, int stepX, int stepY) in passes)
        {
            long columns = (info.Width - x + stepX - 1) / stepX, rows = (info.Height - y + stepY - 1) / stepY;
            expected += columns > 0 && rows > 0 ? rows * (1 + (((columns * bits) + 7) / 8)) : 0;
        }

        if (Inflation.Count(packed, expected) < expected)
        {
            throw Damage.Cut("rows are missing");
        }
    }
}
