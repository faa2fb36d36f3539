namespace CudaL2Net.Data;

/// <summary>How patches of 32, 64 or 65 pixels a side become the 32 x 32 bytes that a tower takes: the one place where this is decided.</summary>
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
        int count = CheckedCount(patches, side, reduced);
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
                    AreaMean(patches.Slice(i * 65 * 65, 65 * 65), reduced.Slice(i * PatchSet.Area, PatchSet.Area));
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

        int count = CheckedCount(patches, side, centres);
        for (int i = 0; i < count; i++)
        {
            for (int row = 0; row < PatchSet.Side; row++)
            {
                patches.Slice((((i * side) + row + 16) * side) + 16, PatchSet.Side).CopyTo(centres[(((i * PatchSet.Side) + row) * PatchSet.Side)..]);
            }
        }
    }

    private static int CheckedCount(ReadOnlySpan<byte> patches, int side, Span<byte> output)
    {
        if (!Supports(side))
        {
            throw new ArgumentException($"patches of 32 x 32, 64 x 64 and 65 x 65 pixels are taken, not {side} x {side}", nameof(side));
        }

        int area = side * side, count = patches.Length / area;
        return patches.Length % area != 0
            ? throw new ArgumentException($"{patches.Length} bytes are no whole number of {side} x {side} patches", nameof(patches))
            : output.Length == count * PatchSet.Area
                ? count
                : throw new ArgumentException($"{count} patches need {count * PatchSet.Area} bytes of output, not {output.Length}", nameof(output));
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

    private static void AreaMean(ReadOnlySpan<byte> patch, Span<byte> reduced)
    {
        Span<int> narrow = stackalloc int[65 * 32];
        for (int row = 0; row < 65; row++)
        {
            for (int column = 0; column < 32; column++)
            {
                int sum = 0;
                for (int input = 65 * column / 32; 32 * input < 65 * (column + 1); input++)
                {
                    sum += Overlap(column, input) * patch[(row * 65) + input];
                }

                narrow[(row * 32) + column] = sum;
            }
        }

        for (int row = 0; row < 32; row++)
        {
            for (int column = 0; column < 32; column++)
            {
                int sum = 0;
                for (int input = 65 * row / 32; 32 * input < 65 * (row + 1); input++)
                {
                    sum += Overlap(row, input) * narrow[(input * 32) + column];
                }

                reduced[(row * 32) + column] = (byte)((sum + (65 * 65 / 2)) / (65 * 65));
            }
        }

        // In units of 1/32 pixel output i covers 65 i to 65 i + 65 and input j covers 32 j to 32 j + 32, so all weights are integers.
        static int Overlap(int output, int input) => Math.Min(65 * (output + 1), 32 * (input + 1)) - Math.Max(65 * output, 32 * input);
    }
}
