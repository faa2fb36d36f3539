using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    /// <summary>max(0, (x - mean) inverse), or without the maximum; mean and inverse are [halves][c].</summary>
    public static double[] Normalized(double[] x, double[] mean, double[] inverse, int halves, bool relu)
    {
        int channels = mean.Length / halves;
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int at = (i / (x.Length / halves) * channels) + (i % channels);
            double value = (x[i] - mean[at]) * inverse[at];
            y[i] = relu ? Math.Max(0, value) : value;
        }

        return y;
    }

    /// <summary>[halves][2][c]: the sums of m and of m xhat, m the gradient where the normalized value is positive.</summary>
    public static double[] NormalizationSums(double[] x, double[] mean, double[] inverse, int halves, bool relu, double[] gradient)
    {
        int channels = mean.Length / halves;
        var sums = new double[2 * mean.Length];
        double[] normalized = Normalized(x, mean, inverse, halves, relu: false);
        for (int i = 0; i < x.Length; i++)
        {
            double m = relu && normalized[i] <= 0 ? 0 : gradient[i];
            int at = (i / (x.Length / halves) * 2 * channels) + (i % channels);
            sums[at] += m;
            sums[at + channels] += m * normalized[i];
        }

        return sums;
    }

    /// <summary>The gradient of the normalization's input: inverse (m - sum(m) / n - xhat sum(m xhat) / n).</summary>
    public static double[] NormalizationGradient(double[] x, double[] mean, double[] inverse, int halves, bool relu, double[] gradient)
    {
        int channels = mean.Length / halves;
        double count = x.Length / halves / channels;
        double[] sums = NormalizationSums(x, mean, inverse, halves, relu, gradient), normalized = Normalized(x, mean, inverse, halves, relu: false);
        var dx = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int half = i / (x.Length / halves), c = i % channels, at = (half * 2 * channels) + c;
            double m = relu && normalized[i] <= 0 ? 0 : gradient[i];
            dx[i] = inverse[(half * channels) + c] * (m - (sums[at] / count) - (normalized[i] * sums[at + channels] / count));
        }

        return dx;
    }

    /// <summary>Distances to the nearest and the second nearest target of each query, [n][2].</summary>
    public static double[] Nearest(double[] queries, double[] targets, int width) =>
        NearestOf(queries.Length / width, targets.Length / width, (query, target) =>
        {
            double square = 0;
            for (int k = 0; k < width; k++)
            {
                double difference = queries[(query * width) + k] - targets[(target * width) + k];
                square += difference * difference;
            }

            return Math.Sqrt(square);
        });

    /// <summary>The same by Hamming distance on packed bits.</summary>
    public static double[] NearestBits(byte[] queries, byte[] targets, int bytes) =>
        NearestOf(queries.Length / bytes, targets.Length / bytes, (query, target) =>
        {
            int distance = 0;
            for (int k = 0; k < bytes; k++)
            {
                distance += System.Numerics.BitOperations.PopCount((uint)(queries[(query * bytes) + k] ^ targets[(target * bytes) + k]));
            }

            return distance;
        });

    /// <summary>A patch's descriptor by a network with batch normalization folded in.</summary>
    public static double[] Describe(FoldedNetwork network, byte[] patch)
    {
        double[] x = NormalizePatch(Array.ConvertAll(patch, value => (double)value), network.Normalization, Widen(network.MeanImage));
        int side = FoldedNetwork.InputSide;
        foreach (FoldedLayer layer in network.Layers)
        {
            var geometry = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
            x = Conv2d(geometry, x, Widen(layer.Filters)!, Widen(layer.Bias));
            x = layer.Relu ? Relu(x) : x;
            side = geometry.OutHeight;
        }

        return UnitVector(x, x.Length);
    }

    private static double[]? Widen(float[]? values) => values is null ? null : Array.ConvertAll(values, value => (double)value);

    private static double[] NearestOf(int queries, int targets, Func<int, int, double> distance)
    {
        var nearest = new double[2 * queries];
        for (int query = 0; query < queries; query++)
        {
            double first = double.PositiveInfinity, second = first;
            for (int target = 0; target < targets; target++)
            {
                double d = distance(query, target);
                (first, second) = d < first ? (d, first) : (first, Math.Min(second, d));
            }

            (nearest[2 * query], nearest[(2 * query) + 1]) = (first, second);
        }

        return nearest;
    }
}
