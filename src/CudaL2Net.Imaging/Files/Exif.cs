namespace CudaL2Net.Imaging.Files;

/// <summary>EXIF data, of which only the orientation and the focal length count here.</summary>
internal static class Exif
{
    private const int OrientationTag = 0x112, KnownTypes = 13;

    /// <summary>Takes what counts from EXIF data, or remarks that they are damaged.</summary>
    /// <param name="info">Gets the orientation, and the focal length.</param>
    /// <param name="exif">The data from the byte order on.</param>
    public static void Read(ImageInfo info, ReadOnlySpan<byte> exif)
    {
        try
        {
            info.Orientation = Orientation(exif);
            info.RelativeFocal = ExifFocal.Read(exif);
        }
        catch (InvalidDataException)
        {
            info.Remark("has damaged EXIF data; if a camera stored it turned, it stays turned");
        }
    }

    private static int Orientation(ReadOnlySpan<byte> exif)
    {
        bool little = exif.StartsWith("II*\0"u8);
        if (!little && !exif.StartsWith("MM\0*"u8))
        {
            throw Damage.Because("EXIF without byte order");
        }

        var reader = new ByteReader(exif, little, 4);
        reader.Seek(reader.UInt32("EXIF"), "EXIF");
        int entries = reader.UInt16("EXIF");
        int orientation = entries > 0 ? 1 : throw Damage.Because("EXIF without entries");
        for (int i = 0; i < entries; i++)
        {
            ushort tag = reader.UInt16("EXIF"), type = reader.UInt16("EXIF");
            uint count = reader.UInt32("EXIF");
            ushort value = reader.UInt16("EXIF");
            reader.Take(2, "EXIF");
            if (type is 0 or > KnownTypes)
            {
                throw Damage.Because("EXIF with an unknown type");
            }

            // 0 and other values are "unknown".
            if (tag == OrientationTag && type == 3 && count == 1 && value is >= 1 and <= 8)
            {
                orientation = value;
            }
        }

        return orientation;
    }
}
