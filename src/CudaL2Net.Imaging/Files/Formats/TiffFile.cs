using CudaL2Net.Imaging.Files.Jpeg;

namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>
/// Walks through the first image of a TIFF, also of a BigTIFF: every strip or tile must lie in the file, and unpack to exactly its rows. The decoder fills up
/// what does not, and stops where it has enough.
/// </summary>
internal sealed class TiffFile
{
    private const int Uncompressed = 1, Lzw = 5, JpegCompression = 7, Deflate = 8, PackBits = 32773, OldDeflate = 32946, Rgb = 2, YCbCr = 6, Orientation = 274;

    private static readonly Dictionary<int, string> OtherCompressions = new()
    {
        [2] = "CCITT fax",
        [3] = "CCITT fax",
        [4] = "CCITT fax",
        [6] = "JPEG of the old kind",
        [34712] = "JPEG 2000",
        [34925] = "LZMA",
        [50000] = "Zstandard",
        [50001] = "WebP",
    };

    private readonly byte[] file;
    private readonly bool little, big;
    private readonly Dictionary<int, long[]> tags = [];
    private int? orientation;

    private TiffFile(byte[] file)
    {
        this.file = file;
        little = file[0] == 'I';
        big = new ByteReader(file, little, 2).UInt16("the header") == 43;
    }

    public static bool Matches(byte[] file)
    {
        ReadOnlySpan<byte> start = file.AsSpan(0, Math.Min(4, file.Length));
        return file.Length >= 8 && (start.SequenceEqual("II*\0"u8) || start.SequenceEqual("MM\0*"u8) || start.SequenceEqual("II+\0"u8) || start.SequenceEqual("MM\0+"u8));
    }

    public static ImageInfo Check(byte[] file) => new TiffFile(file).Check();

    private ImageInfo Check()
    {
        bool more = ReadDirectory();
        int samples = (int)One(277, 1), bits = (int)One(258, 1), compression = (int)One(259, Uncompressed);
        if (bits is < 1 or > 64 || samples is < 1 or > 64)
        {
            throw Damage.Because($"it has {samples} samples of {bits} bits");
        }

        // The decoder turns the image as its own tag says.
        var info = new ImageInfo(One(256, 0), One(257, 0))
        {
            IsDeep = bits > 8,
            HasAlpha = tags.TryGetValue(338, out long[]? extra) ? Array.Exists(extra, kind => kind is 1 or 2) : samples == 4 && One(262, 1) == Rgb,
            DecodersOrientation = orientation is { } place ? (place, little) : null,
            RelativeFocal = big ? null : ExifFocal.Read(file),
        };
        if (compression is not (Uncompressed or Lzw or JpegCompression or Deflate or OldDeflate or PackBits))
        {
            throw Damage.NotRead($"a TIFF packed by {OtherCompressions.GetValueOrDefault(compression, $"method {compression}")}");
        }

        if ((One(254, 0) & 1) != 0)
        {
            throw Damage.NotRead("a camera's raw file, or a TIFF that starts with a preview");
        }

        CheckParts(info, samples, bits, compression);
        if (info.HasAlpha && samples != 4)
        {
            info.HasAlpha = false;
            info.Remark("has transparency that is not read: it has no red, green and blue; keypoints may lie in its transparent parts");
        }

        if (more)
        {
            info.Remark("holds several images; only the first is read");
        }

        return info;
    }

    /// <summary>Reads the tags of the first image.</summary>
    /// <returns>Whether another image follows.</returns>
    private bool ReadDirectory()
    {
        var reader = new ByteReader(file, little, big ? 8 : 4);
        reader.Seek(Offset(ref reader), "the directory");
        long entries = big ? Clamped(reader.UInt64("the directory")) : reader.UInt16("the directory");
        for (long i = 0; i < entries; i++)
        {
            int tag = reader.UInt16("the directory"), type = reader.UInt16("the directory");
            long count = big ? Clamped(reader.UInt64("the directory")) : reader.UInt32("the directory");
            int size = type switch { 1 or 2 or 6 or 7 => 1, 3 or 8 => 2, 4 or 9 or 11 or 13 => 4, 5 or 10 or 12 or 16 or 17 or 18 => 8, _ => 0 };
            if (size == 0)
            {
                throw Damage.Because($"tag {tag} has an unknown type, {type}");
            }

            ReadOnlySpan<byte> field = reader.Take(big ? 8 : 4, "the directory");
            if (tag == Orientation && type == 3 && count == 1)
            {
                orientation = reader.Position - field.Length;
            }

            var values = new ByteReader(field, little);
            if (count > field.Length / size)
            {
                long place = Offset(ref values);
                values = new ByteReader(file, little);
                values.Seek(place, $"tag {tag}");
                values = count <= values.Left / size ? values : throw Damage.Cut($"tag {tag} has {count} values");
            }

            if (type is 1 or 3 or 4 or 7 or 16)
            {
                long[] read = new long[count];
                for (int k = 0; k < read.Length; k++)
                {
                    read[k] = type switch
                    {
                        1 or 7 => values.Byte("a tag"),
                        3 => values.UInt16("a tag"),
                        4 => values.UInt32("a tag"),
                        _ => Clamped(values.UInt64("a tag")),
                    };
                }

                tags[tag] = read;
            }
        }

        return reader.Left >= (big ? 8 : 4) && Offset(ref reader) != 0;
    }

    private static long Clamped(ulong value) => (long)Math.Min(value, long.MaxValue);

    private long Offset(ref ByteReader reader) => big ? Clamped(reader.UInt64("an offset")) : reader.UInt32("an offset");

    private long One(int tag, long otherwise) => tags.TryGetValue(tag, out long[]? values) && values.Length > 0 ? values[0] : otherwise;

    private void CheckParts(ImageInfo info, int samples, int bits, int compression)
    {
        bool tiled = tags.ContainsKey(322), planes = One(284, 1) == 2;
        long width = tiled ? One(322, 0) : info.Width, height = Math.Min(tiled ? One(323, 0) : One(278, info.Height), tiled ? int.MaxValue : info.Height);
        if (width is < 1 or > ImageInfo.LongestSide || height is < 1 or > ImageInfo.LongestSide)
        {
            throw Damage.Because($"its strips or tiles have {width} x {height} pixels");
        }

        long down = (info.Height + height - 1) / height, parts = (info.Width + width - 1) / width * down * (planes ? samples : 1);
        long[] offsets = Parts(tiled ? 324 : 273, parts), sizes = Parts(tiled ? 325 : 279, parts);
        for (long i = 0; i < parts; i++)
        {
            long rows = tiled ? height : Math.Min(height, info.Height - (i % down * height));
            long expected = Bytes(width, rows, planes ? 1 : samples, bits), whole = Bytes(width, height, planes ? 1 : samples, bits);
            var reader = new ByteReader(file, little);
            reader.Seek(offsets[i], $"part {i + 1} of {parts}");
            int start = reader.Position;
            ReadOnlySpan<byte> data = reader.Take(sizes[i], $"part {i + 1} of {parts}");
            long found = compression switch
            {
                Uncompressed => data.Length,
                Lzw => LzwCodes.Count(data, 8, tiff: true, whole),
                PackBits => CountPackBits(data, whole),
                JpegCompression => CountJpeg(file.AsMemory(start, data.Length), width, rows) ? expected : 0,
                _ => Inflation.Count(new MemoryStream(file, start, data.Length), whole),
            };

            // Some programs pack a whole last strip, and store more than they need.
            if (found != expected && found != whole && (compression != Uncompressed || found < expected))
            {
                throw Damage.Because($"part {i + 1} of {parts} unpacks to {found} bytes, not to {expected}");
            }
        }
    }

    private long[] Parts(int tag, long parts) => tags.TryGetValue(tag, out long[]? values) && values.Length >= parts
        ? values
        : throw Damage.Because($"it has {values?.Length ?? 0} places or sizes for its {parts} strips or tiles");

    // Colours of a lower resolution lie behind the brightness of their block.
    private long Bytes(long width, long rows, int samples, int bits)
    {
        if (One(262, 1) == YCbCr && samples == 3 && One(259, Uncompressed) != JpegCompression)
        {
            long[] factors = tags.GetValueOrDefault(530, [2, 2]);
            long x = factors.Length == 2 ? Math.Clamp(factors[0], 1, 4) : 2, y = factors.Length == 2 ? Math.Clamp(factors[1], 1, 4) : 2;
            return (width + x - 1) / x * ((rows + y - 1) / y) * ((((x * y) + 2) * bits) + 7) / 8;
        }

        return ((width * samples * bits) + 7) / 8 * rows;
    }

    private bool CountJpeg(ReadOnlyMemory<byte> part, long width, long rows)
    {
        var jpeg = new JpegFile();
        if (tags.TryGetValue(347, out long[]? tables))
        {
            jpeg.ReadTables(Array.ConvertAll(tables, value => (byte)value));
        }

        ImageInfo info = jpeg.Read(part);
        return info.Width >= width && info.Height >= rows;
    }

    private static long CountPackBits(ReadOnlySpan<byte> data, long most)
    {
        long count = 0;
        for (int i = 0; i < data.Length && count <= most;)
        {
            int head = (sbyte)data[i++];
            if (head == -128)
            {
                continue;
            }

            i += head >= 0 ? head + 1 : 1;
            count += head >= 0 ? head + 1 : 1 - head;
            if (i > data.Length)
            {
                throw Damage.Because("its packed data end within a run");
            }
        }

        return count;
    }
}
