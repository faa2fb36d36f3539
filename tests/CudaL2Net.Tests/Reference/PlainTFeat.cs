namespace CudaL2Net.Tests.Reference;

/// <summary>TFeat as its authors wrote it down, one sum after the other in double precision.</summary>
internal static class PlainTFeat
{
    /// <summary>Describes one patch of 32 x 32.</summary>
    /// <param name="patch">[32][32].</param>
    /// <param name="weights">The tensors by name: features.1, features.4 and descr.0, weight and bias.</param>
    public static double[] Describe(byte[] patch, Func<string, float[]> weights)
    {
        double mean = patch.Average(pixel => (double)pixel), variance = patch.Average(pixel => Math.Pow(pixel - mean, 2));
        double[] x = [.. patch.Select(pixel => (pixel - mean) / Math.Sqrt(variance + 1e-5))];
        x = Convolve(x, 1, 32, weights("features.1.weight"), weights("features.1.bias"), 7);
        x = Pool(x, 32, 26);
        x = Convolve(x, 32, 13, weights("features.4.weight"), weights("features.4.bias"), 6);
        float[] linear = weights("descr.0.weight"), bias = weights("descr.0.bias");
        return [.. bias.Select((b, o) => Math.Tanh(b + x.Select((value, i) => value * linear[(o * x.Length) + i]).Sum()))];
    }

    private static double[] Convolve(double[] x, int channels, int side, float[] filters, float[] bias, int kernel)
    {
        int outSide = side - kernel + 1;
        var y = new double[bias.Length * outSide * outSide];
        for (int o = 0; o < bias.Length; o++)
        {
            for (int row = 0; row < outSide; row++)
            {
                for (int column = 0; column < outSide; column++)
                {
                    double sum = bias[o];
                    for (int c = 0; c < channels; c++)
                    {
                        for (int k = 0; k < kernel * kernel; k++)
                        {
                            int pixel = (((c * side) + row + (k / kernel)) * side) + column + (k % kernel);
                            sum += x[pixel] * filters[(((o * channels) + c) * kernel * kernel) + k];
                        }
                    }

                    y[(((o * outSide) + row) * outSide) + column] = Math.Tanh(sum);
                }
            }
        }

        return y;
    }

    private static double[] Pool(double[] x, int channels, int side) => [.. Enumerable.Range(0, channels * side / 2 * side / 2).Select(i =>
    {
        int half = side / 2, channel = i / (half * half), row = i / half % half, column = i % half;
        return new[] { (0, 0), (0, 1), (1, 0), (1, 1) }.Max(d => x[(((channel * side) + (2 * row) + d.Item1) * side) + (2 * column) + d.Item2]);
    })];
}
