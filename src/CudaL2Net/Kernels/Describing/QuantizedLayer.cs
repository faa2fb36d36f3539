namespace CudaL2Net.Kernels;

/// <summary>A convolution on bytes: the sum over taps and channels of filter and input is an integer, and <see cref="Scales"/> times it plus the bias is the
/// output.</summary>
/// <param name="Filters">[out][kh][kw][in], -127 to 127.</param>
/// <param name="Scales">[out].</param>
internal sealed record QuantizedLayer(sbyte[] Filters, float[] Scales)
{
    /// <summary>The largest byte that an activation becomes, which stands for its channel's limit.</summary>
    public const int Most = 255;

    /// <summary>No sum is larger, nor smaller than its negative, whatever the input.</summary>
    public const int MostSum = (1 << 22) - 1;

    private const int MostFilter = sbyte.MaxValue;

    /// <summary>Quantizes a layer: to nearest, each output with the finest scale that its largest weight and <see cref="MostSum"/> allow.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="limits">[in]: the limits of the layer before it.</param>
    public static QuantizedLayer Of(FoldedLayer layer, float[] limits)
    {
        int depth = layer.Filters.Length / layer.OutChannels;
        var filters = new sbyte[layer.Filters.Length];
        var scales = new float[layer.OutChannels];
        var weights = new double[depth];
        for (int o = 0; o < layer.OutChannels; o++)
        {
            double largest = 0, positive = 0, negative = 0;
            for (int k = 0; k < depth; k++)
            {
                double weight = weights[k] = layer.Filters[(o * depth) + k] * (double)limits[k % layer.InChannels] / Most;
                largest = Math.Max(largest, Math.Abs(weight));
                positive += Math.Max(weight, 0);
                negative -= Math.Min(weight, 0);
            }

            // Rounding may add 1/2 to each weight.
            double scale = Math.Max(largest / MostFilter, Math.Max(positive, negative) / (((double)MostSum / Most) - (depth / 2.0)));
            scales[o] = (float)(scale > 0 ? scale : 1);
            for (int k = 0; k < depth; k++)
            {
                filters[(o * depth) + k] = (sbyte)Math.Clamp(Math.Round(weights[k] / scales[o]), -MostFilter, MostFilter);
            }
        }

        return new QuantizedLayer(filters, scales);
    }
}
