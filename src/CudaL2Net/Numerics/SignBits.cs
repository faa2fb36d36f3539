namespace CudaL2Net.Numerics;

/// <summary>Signs of numbers as packed bits.</summary>
internal static class SignBits
{
    /// <summary>Sets bit j of byte k where value 8k + j is above 0, and clears the others.</summary>
    /// <param name="values">A multiple of 8 numbers.</param>
    /// <param name="bits">A byte for every 8 of them.</param>
    public static void Pack(ReadOnlySpan<float> values, Span<byte> bits)
    {
        for (int k = 0; k < values.Length / 8; k++)
        {
            int packed = 0;
            for (int j = 0; j < 8; j++)
            {
                packed |= values[(8 * k) + j] > 0 ? 1 << j : 0;
            }

            bits[k] = (byte)packed;
        }
    }
}
