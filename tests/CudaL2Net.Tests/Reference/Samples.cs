using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Reference;

/// <summary>Random inputs, the same in every run.</summary>
internal static class Samples
{
    /// <summary>Normal numbers with mean 0 and deviation 1.</summary>
    public static float[] Gaussian(ulong seed, int count)
    {
        var stream = new PhiloxStream(seed, DrawPurpose.Evaluation, 0);
        var values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            value = stream.NextGaussian();
        }

        return values;
    }

    /// <summary>Bytes, all values alike.</summary>
    public static byte[] Bytes(ulong seed, int count)
    {
        var stream = new PhiloxStream(seed, DrawPurpose.Evaluation, 1);
        return [.. Enumerable.Range(0, count).Select(_ => (byte)stream.NextUInt())];
    }

    /// <summary>Rows of length 1 in random directions.</summary>
    public static float[] UnitRows(ulong seed, int rows, int width)
    {
        float[] values = Gaussian(seed, rows * width);
        for (int row = 0; row < rows; row++)
        {
            Span<float> x = values.AsSpan(row * width, width);
            double square = 0;
            foreach (float value in x)
            {
                square += (double)value * value;
            }

            foreach (ref float value in x)
            {
                value = (float)(value / Math.Sqrt(square));
            }
        }

        return values;
    }

    /// <summary>p unit vectors, then p others, each at a moderate distance from its pair's first: a batch half way through a training.</summary>
    public static float[] Pairs(ulong seed, int pairs, int width, float noise = 0.6f)
    {
        float[] first = UnitRows(seed, pairs, width);
        float[] disturbance = UnitRows(seed + 1000, pairs, width);
        var values = new float[2 * first.Length];
        for (int pair = 0; pair < pairs; pair++)
        {
            double square = 0;
            for (int k = pair * width; k < (pair + 1) * width; k++)
            {
                values[k] = first[k];
                values[first.Length + k] = first[k] + (noise * disturbance[k]);
                square += (double)values[first.Length + k] * values[first.Length + k];
            }

            for (int k = pair * width; k < (pair + 1) * width; k++)
            {
                values[first.Length + k] = (float)(values[first.Length + k] / Math.Sqrt(square));
            }
        }

        return values;
    }

    /// <summary>The same numbers in double precision.</summary>
    public static double[] Widen(float[] values) => Array.ConvertAll(values, value => (double)value);
}
