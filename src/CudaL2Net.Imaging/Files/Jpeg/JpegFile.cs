namespace CudaL2Net.Imaging.Files.Jpeg;

/// <summary>
/// Walks through a JPEG (ITU-T T.81): baseline, extended or progressive with Huffman codes and 8 bits. What stands behind the image's end is not looked at:
/// phones put videos there.
/// </summary>
internal sealed class JpegFile
{
    private const int MostComponents = 4, MostTables = 4;

    private readonly ushort[]?[] quantization = new ushort[MostTables][];
    private readonly HuffmanTable?[] dc = new HuffmanTable[MostTables], ac = new HuffmanTable[MostTables];
    private readonly List<JpegComponent> components = [];
    private ReadOnlyMemory<byte> exif;
    private ImageInfo? info;
    private bool progressive;
    private int interval, columns, rows;

    public static bool Matches(byte[] file) => file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]);

    public static ImageInfo Check(byte[] file) => new JpegFile().Read(file);

    /// <summary>A number of parts of a size that hold a length.</summary>
    public static int Over(int length, int part) => (length + part - 1) / part;

    /// <summary>Walks through an image.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or of a kind that is not read; the reason, to be put behind the file's name.</exception>
    public ImageInfo Read(ReadOnlyMemory<byte> file)
    {
        Walk(file);
        if (info is null || components.Exists(component => Array.Exists(component.Sent, sent => sent != 0)))
        {
            throw Damage.Cut("scans are missing at its end");
        }

        if (!exif.IsEmpty)
        {
            Exif.Read(info, exif.Span);
        }

        return info;
    }

    /// <summary>Takes the tables that images of one file share.</summary>
    public void ReadTables(ReadOnlyMemory<byte> file) => Walk(file);

    private void Walk(ReadOnlyMemory<byte> file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        int position = bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8]) ? 2 : throw Damage.Because("it has no start of an image");
        while (true)
        {
            byte marker = Marker(bytes, ref position);
            if (marker == 0xD9)
            {
                return;
            }

            // Markers without a length: restarts behind a scan, and "temporary".
            if (marker is (>= 0xD0 and <= 0xD7) or 0x01)
            {
                continue;
            }

            if (marker is 0xD8 or 0x00)
            {
                throw Damage.Because($"it has a marker {marker:X2} at byte {position}");
            }

            var reader = new ByteReader(bytes, false, position);
            int length = reader.UInt16("a segment");
            if (length < 2)
            {
                throw Damage.Because($"a segment at byte {position} has a length of {length}");
            }

            reader.Take(length - 2, "a segment");
            ReadOnlyMemory<byte> segment = file.Slice(position + 2, length - 2);
            position += length;
            if (marker == 0xDA)
            {
                position = Scan(bytes, segment.Span, position);
            }
            else
            {
                Segment(marker, segment);
            }
        }
    }

    private static byte Marker(ReadOnlySpan<byte> bytes, ref int position)
    {
        if (position < bytes.Length && bytes[position] != 0xFF)
        {
            throw Damage.Because($"there is no marker at byte {position}");
        }

        while (position < bytes.Length && bytes[position] == 0xFF)
        {
            position++;
        }

        return position < bytes.Length ? bytes[position++] : throw Damage.Cut("the end of the image is missing");
    }

    private void Segment(byte marker, ReadOnlyMemory<byte> segment)
    {
        ReadOnlySpan<byte> bytes = segment.Span;
        switch (marker)
        {
            case 0xC0 or 0xC1 or 0xC2:
                Frame(bytes, marker == 0xC2);
                break;
            case 0xC4:
                Codes(bytes);
                break;
            case >= 0xC3 and <= 0xCF and not 0xC8 and not 0xCC:
                throw Damage.NotRead("a JPEG of a rare kind (lossless, hierarchical or with arithmetic codes)");
            case 0xDB:
                Quantizations(bytes);
                break;
            case 0xDC:
                throw Damage.NotRead("a JPEG that tells its height only at the end");
            case 0xDD:
                interval = new ByteReader(bytes, false).UInt16("the restart interval");
                break;
            case 0xE1 when bytes.IsEmpty || bytes[0] == 0:
                throw Damage.Because("a segment of metadata has no name");
            case 0xE1 when exif.IsEmpty && bytes.StartsWith("Exif\0"u8):
                exif = segment[Math.Min(6, segment.Length)..];
                break;
        }
    }

    private void Frame(ReadOnlySpan<byte> bytes, bool isProgressive)
    {
        if (info is not null)
        {
            throw Damage.Because("it has two frames");
        }

        var reader = new ByteReader(bytes, false);
        int precision = reader.Byte("the frame"), height = reader.UInt16("the frame"), width = reader.UInt16("the frame"), count = reader.Byte("the frame");
        if (precision != 8)
        {
            throw precision == 12 ? Damage.NotRead("a JPEG of 12 bits") : Damage.Because($"its samples have {precision} bits");
        }

        if (count is 0 or > MostComponents || reader.Left != 3 * count)
        {
            throw Damage.Because($"its frame has {count} components in {reader.Left} bytes");
        }

        info = new ImageInfo(width, height);
        progressive = isProgressive;
        for (int i = 0; i < count; i++)
        {
            byte id = reader.Byte("a component"), sampling = reader.Byte("a component"), table = reader.Byte("a component");
            int horizontal = sampling >> 4, vertical = sampling & 15;
            if (horizontal is 0 or > 4 || vertical is 0 or > 4 || table >= MostTables || components.Exists(other => other.Id == id))
            {
                throw Damage.Because($"component {i + 1} of its frame cannot be");
            }

            components.Add(new JpegComponent(id, horizontal, vertical, table));
        }

        int mostHorizontal = components.Max(component => component.Horizontal), mostVertical = components.Max(component => component.Vertical);
        columns = Over(width, 8 * mostHorizontal);
        rows = Over(height, 8 * mostVertical);
        components.ForEach(component => component.Lay(width, height, mostHorizontal, mostVertical, progressive));
    }

    private void Codes(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes, false);
        while (reader.Left > 0)
        {
            byte which = reader.Byte("a table of codes");
            ReadOnlySpan<byte> counts = reader.Take(16, "a table of codes");
            int total = 0;
            foreach (byte count in counts)
            {
                total += count;
            }

            if ((which & 0xEF) >= MostTables || total > 256 || total > reader.Left)
            {
                throw Damage.Because("a table of codes does not fit its segment");
            }

            var table = new HuffmanTable(counts, reader.Take(total, "a table of codes"));
            (which < 0x10 ? dc : ac)[which & 15] = table;
        }
    }

    private void Quantizations(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes, false);
        while (reader.Left > 0)
        {
            byte which = reader.Byte("a table of quantization");
            if (which >> 4 > 1 || (which & 15) >= MostTables || reader.Left < (which < 16 ? 64 : 128))
            {
                throw Damage.Because("a table of quantization does not fit its segment");
            }

            ushort[] steps = new ushort[64];
            for (int k = 0; k < steps.Length; k++)
            {
                steps[k] = which < 16 ? reader.Byte("a step") : reader.UInt16("a step");
            }

            quantization[which & 15] = Array.IndexOf(steps, (ushort)0) < 0 ? steps : throw Damage.Because("a table of quantization has a step of 0");
        }
    }

    private int Scan(ReadOnlySpan<byte> file, ReadOnlySpan<byte> header, int position)
    {
        if (info is null)
        {
            throw Damage.Because("a scan comes before the frame");
        }

        var reader = new ByteReader(header, false);
        int count = reader.Byte("a scan's head");
        if (count is 0 or > MostComponents || reader.Left != (2 * count) + 3)
        {
            throw Damage.Because($"a scan's head has {count} components in {header.Length} bytes");
        }

        var scanned = new List<JpegComponent>();
        var tables = new List<byte>();
        for (int i = 0; i < count; i++)
        {
            byte id = reader.Byte("a scan's head");
            tables.Add(reader.Byte("a scan's head"));
            JpegComponent? component = components.Find(component => component.Id == id);
            scanned.Add(component is not null && !scanned.Contains(component) ? component : throw Damage.Because($"a scan has a component {id}"));
        }

        int first = reader.Byte("a scan's head"), last = reader.Byte("a scan's head"), bits = reader.Byte("a scan's head"), high = bits >> 4, low = bits & 15;
        if (!progressive)
        {
            // Some encoders leave these at 0; decoders do not look at them.
            (first, last, high, low) = (0, 63, 0, 0);
        }
        else if (first > last || last > 63 || (first == 0 && last != 0) || (first > 0 && count > 1) || low > 13 || (high > 0 && low != high - 1))
        {
            throw Damage.Because("a scan's head cannot be");
        }

        for (int i = 0; i < count; i++)
        {
            Prepare(scanned[i], tables[i], first, last, high, low);
        }

        return new JpegScan(scanned, progressive, first, last, high, low).Walk(file, position, columns, rows, interval);
    }

    private void Prepare(JpegComponent component, byte tables, int first, int last, int high, int low)
    {
        component.Quantize(quantization[component.Quantization]);
        bool needsDc = first == 0 && high == 0, needsAc = last > 0;
        component.Dc = needsDc ? dc.ElementAtOrDefault(tables >> 4) : null;
        component.Ac = needsAc ? ac.ElementAtOrDefault(tables & 15) : null;
        if ((needsDc && component.Dc is null) || (needsAc && component.Ac is null))
        {
            throw Damage.Because("a scan's table of codes is missing");
        }

        for (int k = first; k <= last; k++)
        {
            component.Sent[k] = component.Sent[k] == (high == 0 ? -1 : high) ? (sbyte)low : throw Damage.Because("a scan is missing, or there twice");
        }
    }
}
