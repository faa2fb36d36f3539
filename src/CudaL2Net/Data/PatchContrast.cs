namespace CudaL2Net.Data;

/// <summary>Tells patches that show something from those that do not.</summary>
internal static class PatchContrast
{
    /// <summary>Patches with a smaller standard deviation, in grey levels, are near-uniform: normalized they would be little but noise.</summary>
    public const double SmallestDeviation = 2;

    /// <summary>Whether a patch's standard deviation (n - 1) is below <see cref="SmallestDeviation"/>.</summary>
    /// <param name="patch">At least two pixels.</param>
    public static bool IsNearUniform(ReadOnlySpan<byte> patch)
    {
        long sum = 0, squares = 0, count = patch.Length;
        foreach (byte value in patch)
        {
            sum += value;
            squares += value * value;
        }

        return (count * squares) - (sum * sum) < SmallestDeviation * SmallestDeviation * count * (count - 1);
    }
}
