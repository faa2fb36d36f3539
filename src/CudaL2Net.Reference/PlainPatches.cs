using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    private const int Side = 32;

    /// <summary>A 32 x 32 patch as the network sees it.</summary>
    public static double[] NormalizePatch(double[] patch, PatchNormalization normalization, double[]? meanImage)
    {
        double[] values = meanImage == null || normalization != PatchNormalization.L2Net ? [.. patch] : [.. patch.Zip(meanImage, (p, m) => p - m)];
        double mean = values.Average(), deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
        return Array.ConvertAll(values, v => (v - mean) / (deviation + (normalization == PatchNormalization.L2Net ? 1e-12 : 1e-7)));
    }

    /// <summary>A patch turned by one of the eight symmetries: transposed (1), then its columns mirrored (2), then its rows (4).</summary>
    public static double[] TurnPatch(double[] patch, int symmetry)
    {
        double[] turned = patch;
        if ((symmetry & 1) != 0)
        {
            turned = Rearranged(turned, (row, column) => (column, row));
        }

        if ((symmetry & 2) != 0)
        {
            turned = Rearranged(turned, (row, column) => (row, Side - 1 - column));
        }

        return (symmetry & 4) != 0 ? Rearranged(turned, (row, column) => (Side - 1 - row, column)) : turned;
    }

    private static double[] Rearranged(double[] patch, Func<int, int, (int Row, int Column)> source)
    {
        var result = new double[patch.Length];
        for (int i = 0; i < result.Length; i++)
        {
            (int row, int column) = source(i / Side, i % Side);
            result[i] = patch[(row * Side) + column];
        }

        return result;
    }
}
