using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    /// <summary>A patch as the network sees it.</summary>
    public static double[] NormalizePatch(double[] patch, PatchNormalization normalization, double[]? meanImage, double subtracted = 0, double divisor = 1)
    {
        bool subtracts = meanImage != null && normalization is (PatchNormalization.L2Net or PatchNormalization.Fixed);
        double[] values = subtracts ? [.. patch.Zip(meanImage!, (p, m) => p - m)] : [.. patch];
        double mean = values.Average(), deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
        return normalization switch
        {
            PatchNormalization.Fixed => Array.ConvertAll(values, v => (v - subtracted) / divisor),
            PatchNormalization.Centred => Array.ConvertAll(values, v => (v - mean) / divisor),
            PatchNormalization.L2Net => Array.ConvertAll(values, v => (v - mean) / (deviation + 1e-12)),
            _ => Array.ConvertAll(values, v => (v - mean) / (deviation + 1e-7)),
        };
    }

    /// <summary>A patch turned by one of the eight symmetries: transposed (1), then its columns mirrored (2), then its rows (4).</summary>
    public static double[] TurnPatch(double[] patch, int symmetry)
    {
        double[] turned = patch;
        int last = Side(patch) - 1;
        if ((symmetry & 1) != 0)
        {
            turned = Rearranged(turned, (row, column) => (column, row));
        }

        if ((symmetry & 2) != 0)
        {
            turned = Rearranged(turned, (row, column) => (row, last - column));
        }

        return (symmetry & 4) != 0 ? Rearranged(turned, (row, column) => (last - row, column)) : turned;
    }

    private static double[] Rearranged(double[] patch, Func<int, int, (int Row, int Column)> source)
    {
        var result = new double[patch.Length];
        int side = Side(patch);
        for (int i = 0; i < result.Length; i++)
        {
            (int row, int column) = source(i / side, i % side);
            result[i] = patch[(row * side) + column];
        }

        return result;
    }

    private static int Side(double[] patch) => (int)Math.Sqrt(patch.Length);
}
