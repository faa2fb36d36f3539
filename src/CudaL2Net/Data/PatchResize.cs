namespace CudaL2Net.Data;

/// <summary>How patches of 32, 64 or 65 pixels per side become the bytes that a tower takes, 32 x 32 or 64 x 64: the one place where this is decided.</summary>
public static class PatchResize
{
    /// <summary>Whether patches of this side are taken: 32, 64 or 65.</summary>
    public static bool Supports(int side) => side is 32 or 64 or 65;

    /// <summary>
    /// The whole patch at 32 x 32. 32: as it is; 64: the mean of 2 x 2 pixels, halves rounded up (what OpenCV's INTER_LINEAR gives at exactly 2x);
    /// 65: the area-weighted mean over 65/32 x 65/32 pixels, rounded to the nearest.
    /// </summary>
    /// <param name="patches">[n][side][side].</param>
    /// <param name="side">32, 64 or 65.</param>
    /// <param name="reduced">[n][32][32], written.</param>
    /// <exception cref="ArgumentException">The side is none of these, or the lengths do not agree.</exception>
    public static void Reduce(ReadOnlySpan<byte> patches, int side, Span<byte> reduced)
    {
        int count = CheckedCount(patches, side, reduced, PatchSet.Area);
        switch (side)
        {
            case 32:
                patches.CopyTo(reduced);
                break;
            case 64:
                for (int i = 0; i < count; i++)
                {
                    MeanOfFour(patches.Slice(i * 64 * 64, 64 * 64), reduced.Slice(i * PatchSet.Area, PatchSet.Area));
                }

                break;
            default:
                for (int i = 0; i < count; i++)
                {
                    AreaMean(patches.Slice(i * 65 * 65, 65 * 65), reduced.Slice(i * PatchSet.Area, PatchSet.Area), PatchSet.Side);
                }

                break;
        }
    }

    /// <summary>The whole patches at 32 x 32 in a new array.</summary>
    /// <inheritdoc cref="Reduce(ReadOnlySpan{byte}, int, Span{byte})"/>
    public static byte[] Reduce(ReadOnlySpan<byte> patches, int side)
    {
        byte[] reduced = new byte[Supports(side) ? patches.Length / (side * side) * PatchSet.Area : 0];
        Reduce(patches, side, reduced);
        return reduced;
    }

    /// <summary>
    /// The central 32 x 32 pixels, unscaled: rows and columns 16 to 47 of 64 and of 65 (there half a pixel before the centre). For centre-surround
    /// networks.
    /// </summary>
    /// <param name="patches">[n][side][side].</param>
    /// <param name="side">64 or 65.</param>
    /// <param name="centres">[n][32][32], written.</param>
    /// <exception cref="ArgumentException">The side is neither, or the lengths do not agree.</exception>
    public static void CropCentre(ReadOnlySpan<byte> patches, int side, Span<byte> centres)
    {
        if (side == 32)
        {
            throw new ArgumentException("a centre-surround network needs patches of 64 x 64 or 65 x 65 pixels, not 32 x 32", nameof(side));
        }

        int count = CheckedCount(patches, side, centres, PatchSet.Area);
        for (int i = 0; i < count; i++)
        {
            for (int row = 0; row < PatchSet.Side; row++)
            {
                patches.Slice((((i * side) + row + 16) * side) + 16, PatchSet.Side).CopyTo(centres[(((i * PatchSet.Side) + row) * PatchSet.Side)..]);
            }
        }
    }

    /// <summary>
    /// The whole patch at 64 x 64. 64: as it is; 65: the area-weighted mean over 65/64 x 65/64 pixels, rounded to the nearest, the same rule as for 32 x 32.
    /// </summary>
    /// <param name="patches">[n][side][side].</param>
    /// <param name="side">64 or 65.</param>
    /// <param name="large">[n][64][64], written.</param>
    /// <exception cref="ArgumentException">The side is neither, or the lengths do not agree.</exception>
    public static void ToLarge(ReadOnlySpan<byte> patches, int side, Span<byte> large)
    {
        if (side == 32)
        {
            throw new ArgumentException("a network that takes 64 x 64 pixels needs patches of 64 x 64 or 65 x 65 pixels, not 32 x 32", nameof(side));
        }

        int count = CheckedCount(patches, side, large, PatchSet.LargeArea);
        if (side == 64)
        {
            patches.CopyTo(large);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            AreaMean(patches.Slice(i * 65 * 65, 65 * 65), large.Slice(i * PatchSet.LargeArea, PatchSet.LargeArea), PatchSet.LargeSide);
        }
    }

    private static int CheckedCount(ReadOnlySpan<byte> patches, int side, Span<byte> output, int outputArea)
    {
        if (!Supports(side))
        {
            throw new ArgumentException($"patches of 32 x 32, 64 x 64 and 65 x 65 pixels are taken, not {side} x {side}", nameof(side));
        }

        int area = side * side, count = patches.Length / area;
        return patches.Length % area != 0
            ? throw new ArgumentException($"{patches.Length} bytes are no whole number of {side} x {side} patches", nameof(patches))
            : output.Length == (long)count * outputArea
                ? count
                : throw new ArgumentException($"{count} patches need {(long)count * outputArea} bytes of output, not {output.Length}", nameof(output));
    }

    private static void MeanOfFour(ReadOnlySpan<byte> patch, Span<byte> reduced)
    {
        for (int row = 0; row < 32; row++)
        {
            ReadOnlySpan<byte> upper = patch.Slice(row * 128, 64), lower = patch.Slice((row * 128) + 64, 64);
            Span<byte> output = reduced.Slice(row * 32, 32);
            for (int column = 0; column < output.Length; column++)
            {
                output[column] = (byte)((upper[2 * column] + upper[(2 * column) + 1] + lower[2 * column] + lower[(2 * column) + 1] + 2) >> 2);
            }
        }
    }

    /// <summary>The area-weighted mean of a patch of 65 x 65 at side x side, below 65.</summary>
    private static void AreaMean(ReadOnlySpan<byte> patch, Span<byte> reduced, int side)
    {
        Span<int> narrow = stackalloc int[65 * side];
        for (int row = 0; row < 65; row++)
        {
            for (int column = 0; column < side; column++)
            {
                int sum = 0;
                for (int input = 65 * column / side; side * input < 65 * (column + 1); input++)
                {
                    sum += Overlap(column, input, side) * patch[(row * 65) + input];
                }

                narrow[(row * side) + column] = sum;
            }
        }

        for (int row = 0; row < side; row++)
        {
            for (int column = 0; column < side; column++)
            {
                int sum = 0;
                for (int input = 65 * row / side; side * input < 65 * (row + 1); input++)
                {
                    sum += Overlap(row, input, side) * narrow[(input * side) + column];
                }

                reduced[(row * side) + column] = (byte)((sum + (65 * 65 / 2)) / (65 * 65));
            }
        }

        // In units of 1/side pixel output i covers 65 i to 65 i + 65 and input j covers side j to side j + side, so all weights are integers.
        static int Overlap(int output, int input, int side) => Math.Min(65 * (output + 1), side * (input + 1)) - Math.Max(65 * output, side * input);
    }
}
