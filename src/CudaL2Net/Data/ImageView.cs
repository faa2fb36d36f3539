namespace CudaL2Net.Data;

/// <summary>An image in the caller's memory: 8 bits, grey or RGB.</summary>
public readonly ref struct ImageView
{
    private readonly ReadOnlySpan<byte> pixels;

    /// <summary>Looks at pixels; nothing is copied.</summary>
    /// <param name="pixels">[height] rows of <paramref name="stride"/> bytes, of which the first width x channels are the row. The last row may end there.</param>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1. Width x height is below 2^31.</param>
    /// <param name="stride">Bytes from one row to the next, at least width x channels; 0 is exactly that.</param>
    /// <param name="channels">1 is grey; 3 is red, green, blue, interleaved.</param>
    /// <exception cref="ArgumentException">The numbers are out of range, or the pixels are too few for them.</exception>
    public ImageView(ReadOnlySpan<byte> pixels, int width, int height, int stride = 0, int channels = 1)
    {
        if (channels is not (1 or 3))
        {
            throw new ArgumentException($"an image has 1 channel (grey) or 3 (red, green, blue), not {channels}", nameof(channels));
        }

        if (width < 1 || height < 1 || (long)width * height > Array.MaxLength)
        {
            throw new ArgumentException($"an image has at least 1 x 1 and fewer than 2^31 pixels, not {width} x {height}");
        }

        long row = (long)width * channels, step = stride == 0 ? row : stride;
        if (step < row)
        {
            throw new ArgumentException($"rows of {width} pixels with {channels} channels need a stride of {row} bytes or more, not {stride}", nameof(stride));
        }

        long needed = ((height - 1) * step) + row;
        if (pixels.Length < needed)
        {
            throw new ArgumentException(
                $"{width} x {height} pixels with {channels} channels and a stride of {step} need {needed} bytes, not {pixels.Length}", nameof(pixels));
        }

        this.pixels = pixels;
        Width = width;
        Height = height;
        Stride = (int)step;
        Channels = channels;
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public int Stride { get; }

    /// <summary>1 (grey) or 3 (red, green, blue).</summary>
    public int Channels { get; }

    /// <summary>
    /// The image in grey: .299 red + .587 green + .114 blue with weights in 1/32768, rounded, as OpenCV's cvtColor.
    /// </summary>
    /// <returns>[height][width].</returns>
    /// <exception cref="ArgumentException">This is no image: the structure was not made by the constructor.</exception>
    public byte[] ToGrey()
    {
        if (Width == 0)
        {
            throw new ArgumentException("an image view without pixels: make it with new ImageView(pixels, width, height)");
        }

        byte[] grey = new byte[Width * Height];
        for (int y = 0; y < Height; y++)
        {
            ReadOnlySpan<byte> row = pixels.Slice(y * Stride, Width * Channels);
            Span<byte> target = grey.AsSpan(y * Width, Width);
            if (Channels == 1)
            {
                row.CopyTo(target);
                continue;
            }

            for (int x = 0; x < target.Length; x++)
            {
                target[x] = (byte)(((9798 * row[3 * x]) + (19235 * row[(3 * x) + 1]) + (3735 * row[(3 * x) + 2]) + 16384) >> 15);
            }
        }

        return grey;
    }
}
