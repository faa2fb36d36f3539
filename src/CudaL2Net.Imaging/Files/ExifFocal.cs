namespace CudaL2Net.Imaging.Files;

/// <summary>The focal length that a camera wrote into EXIF data, by the rules that COLMAP follows.</summary>
internal static class ExifFocal
{
    private const int FocalLength = 0x920A, In35Millimetres = 0xA405, Details = 0x8769;
    private const int PixelColumns = 0xA002, PlaneResolution = 0xA20E, PlaneUnit = 0xA210;

    // COLMAP takes 35 for the width of the film, which is 36 mm.
    private const double Film = 35, Inch = 25.4, Centimetre = 10;

    /// <summary>The focal length over the image's longer side; null where the data do not tell it.</summary>
    /// <param name="exif">The data from the byte order on.</param>
    public static double? Read(ReadOnlySpan<byte> exif)
    {
        var tags = new Dictionary<int, double>();
        try
        {
            bool little = exif.Length > 0 && exif[0] == 'I';
            var start = new ByteReader(exif, little, 4);
            ReadDirectory(exif, little, start.UInt32("EXIF"), tags);
            if (tags.TryGetValue(Details, out double place))
            {
                ReadDirectory(exif, little, (long)place, tags);
            }
        }
        catch (InvalidDataException)
        {
            // What was read up to the damage counts.
        }

        if (Value(In35Millimetres) is { } equivalent)
        {
            return equivalent / Film;
        }

        double? unit = tags.GetValueOrDefault(PlaneUnit, 2) switch { 2 => Inch, 3 => Centimetre, _ => null };
        return Value(FocalLength) is { } millimetres && Value(PixelColumns) is { } columns && Value(PlaneResolution) is { } resolution && unit is { } length
            ? millimetres / (columns * length / resolution)
            : null;

        double? Value(int tag) => tags.TryGetValue(tag, out double value) && value > 0 && double.IsFinite(value) ? value : null;
    }

    // Single numbers of the kinds that count: 16 and 32 bits, and fractions.
    private static void ReadDirectory(ReadOnlySpan<byte> exif, bool little, long place, Dictionary<int, double> tags)
    {
        var reader = new ByteReader(exif, little);
        reader.Seek(place, "EXIF");
        int entries = reader.UInt16("EXIF");
        for (int i = 0; i < entries; i++)
        {
            int tag = reader.UInt16("EXIF"), type = reader.UInt16("EXIF");
            uint count = reader.UInt32("EXIF");
            var value = new ByteReader(reader.Take(4, "EXIF"), little);
            if (count != 1)
            {
                continue;
            }

            switch (type)
            {
                case 3:
                    tags[tag] = value.UInt16("EXIF");
                    break;
                case 4 or 13:
                    tags[tag] = value.UInt32("EXIF");
                    break;
                case 5:
                    var fraction = new ByteReader(exif, little);
                    fraction.Seek(value.UInt32("EXIF"), "EXIF");
                    tags[tag] = fraction.UInt32("EXIF") / (double)fraction.UInt32("EXIF");
                    break;
            }
        }
    }
}
