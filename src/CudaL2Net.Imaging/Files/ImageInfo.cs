namespace CudaL2Net.Imaging.Files;

/// <summary>What a file's own headers say of its image.</summary>
internal sealed class ImageInfo
{
    /// <summary>The most pixels of an image that is read.</summary>
    public const long MostPixels = 1L << 28;

    /// <summary>The most rows and columns of an image that is read.</summary>
    public const int LongestSide = 1 << 20;

    private readonly List<string> remarks = [];

    /// <summary>Refuses what is too large before it is decoded.</summary>
    public ImageInfo(long width, long height)
    {
        if (width < 1 || height < 1)
        {
            throw Damage.Because($"its size is {width} x {height}");
        }

        if (width > LongestSide || height > LongestSide || width * height > MostPixels)
        {
            throw new InvalidDataException($"has {width} x {height} pixels, {width * height / 1e6:0} million; images of up to {MostPixels / 1e6:0} "
                + $"million pixels and sides of up to {LongestSide} are read; reduce it first, or cut it into parts");
        }

        Width = (int)width;
        Height = (int)height;
    }

    /// <summary>Columns, as stored.</summary>
    public int Width { get; }

    /// <summary>Rows, as stored.</summary>
    public int Height { get; }

    /// <summary>Whether samples may have more than 8 bits.</summary>
    public bool IsDeep { get; init; }

    /// <summary>Whether pixels may be transparent.</summary>
    public bool HasAlpha { get; set; }

    /// <summary>EXIF's number, 1 to 8: how the stored image must be turned. 1 where the decoder turns it.</summary>
    public int Orientation { get; set; } = 1;

    /// <summary>The focal length that EXIF tells, over the longer side; null where it tells none.</summary>
    public double? RelativeFocal { get; set; }

    /// <summary>The bytes to decode, where they are others than the file's.</summary>
    public byte[]? Rewritten { get; init; }

    /// <summary>The first byte of an orientation that the decoder turns by, with the bytes of its number; null where there is none.</summary>
    public (int Place, bool LittleEndian)? DecodersOrientation { get; init; }

    /// <summary>What is odd about the file, to be said once behind its name.</summary>
    public IReadOnlyList<string> Remarks => remarks;

    public void Remark(string text) => remarks.Add(text);
}
