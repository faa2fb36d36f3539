using CudaL2Net.Matching;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>Descriptors as COLMAP's own matchers read them: 128 bytes that are a vector of length 512 without negative values, as RootSIFT's.</summary>
internal static class ColmapDescriptors
{
    /// <summary>The only number of values that COLMAP's matchers take.</summary>
    public const int Dimension = 128;

    private const double Length = 512;

    // What is added to a network's values, which have signs, before they are brought to the length. Twice their usual deviation, 1 / sqrt(128): so few are cut
    // off at 0, and steps stay small. Differences between two descriptors keep their proportions, so a ratio test keeps its meaning; all angles shrink.
    private const double Shift = 0.2;

    /// <summary>Rounds descriptors to bytes.</summary>
    /// <param name="descriptors">n descriptors of 128 floats.</param>
    /// <param name="signed">Whether values may be negative.</param>
    /// <returns>[n][128].</returns>
    public static byte[] ToBytes(DescriptorSet descriptors, bool signed)
    {
        float[] values = descriptors.Values!;
        var bytes = new byte[values.Length];
        Span<double> moved = stackalloc double[Dimension];
        for (int first = 0; first < values.Length; first += Dimension)
        {
            double squares = 0;
            for (int i = 0; i < Dimension; i++)
            {
                moved[i] = Math.Max(0, values[first + i] + (signed ? Shift : 0));
                squares += moved[i] * moved[i];
            }

            double factor = squares > 0 ? Length / Math.Sqrt(squares) : 0;
            for (int i = 0; i < Dimension; i++)
            {
                bytes[first + i] = (byte)Math.Min(byte.MaxValue, Math.Round(factor * moved[i]));
            }
        }

        return bytes;
    }
}
