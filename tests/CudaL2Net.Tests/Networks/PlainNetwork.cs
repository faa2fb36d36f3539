using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Tests.Networks;

/// <summary>A network layer by layer in double precision, as its description reads: nothing is folded.</summary>
internal static class PlainNetwork
{
    /// <summary>The descriptor of a patch of the network's input side.</summary>
    public static double[] Describe(ModelFile model, byte[] patch)
    {
        double[] values = Features(model, [patch]);
        return model.Network.Head is { Comparison: DescriptorComparison.Cosine, UnitVectors: false } ? Plain.UnitVector(values, values.Length) : values;
    }

    /// <summary>The score of a pair.</summary>
    public static double Score(ModelFile model, byte[] first, byte[] second)
    {
        double[] features = model.Network.Input.Channels == 2 ? Features(model, [first, second]) : [.. Features(model, [first]), .. Features(model, [second])];
        return Chain(ShapedNetwork.Of(model.Network).Head, model.Weights.Head, features).Single();
    }

    private static double[] Features(ModelFile model, byte[][] channels)
    {
        var shaped = ShapedNetwork.Of(model.Network);
        NetworkInput input = model.Network.Input;
        return [.. shaped.Towers.SelectMany((tower, t) =>
        {
            TowerWeights weights = model.Weights.Towers[t];
            double[]? mean = weights.MeanImage is { } image ? Array.ConvertAll(image, value => (double)value) : null;
            double[][] maps = Array.ConvertAll(channels, patch => Plain.NormalizePatch(
                View(patch, input.Side, model.Network.Towers[t].View), input.Normalization, mean, input.Mean, input.Deviation));
            return Chain(tower, weights.Layers, [.. Enumerable.Range(0, maps[0].Length).SelectMany(i => maps.Select(map => map[i]))]);
        })];
    }

    private static double[] View(byte[] patch, int side, PatchView view)
    {
        var small = new byte[side * side / 4];
        switch (view)
        {
            case PatchView.Whole:
                return Array.ConvertAll(patch, value => (double)value);
            case PatchView.Reduced:
                PatchResize.Reduce(patch, side, small);
                break;
            default:
                PatchResize.CropCentre(patch, side, small);
                break;
        }

        return Array.ConvertAll(small, value => (double)value);
    }

    private static double[] Chain(LayerChain chain, IReadOnlyList<LayerWeights> weights, double[] x)
    {
        foreach (ShapedLayer layer in chain.Layers)
        {
            LayerWeights held = weights[layer.Number - 1];
            double[]? Values(string name) => held.Find(name) is { } values ? Array.ConvertAll(values, value => (double)value) : null;

            int c = layer.Input.Channels;
            x = layer.Layer switch
            {
                Convolution convolution => Plain.Conv2d(convolution.Geometry(layer.Input), x, Values("filters")!, Values("bias")),
                Linear => Plain.Linear(1, x, Values("weights")!, Values("bias")),
                BatchNormalization normalization => [.. x.Select((value, i) => Normalized(
                    value, i % c, normalization.Epsilon, Values("running_mean")!, Values("running_variance")!, Values("scale"), Values("shift")))],
                Relu => Plain.Relu(x),
                Tanh => Plain.Tanh(x),
                Pooling pooling => Plain.Pool(
                    new PoolOptions(pooling.Kind, pooling.Kernel, pooling.Stride, pooling.Padding, pooling.RoundUp).Over(1, layer.Input.Height,
                        layer.Input.Width, c), x),
                SubtractiveNormalization => Plain.SubtractiveNorm(layer.Input.Height, layer.Input.Width, c, Values("weights")!, x),
                FilterResponseNormalization response => Plain.FilterResponseNorm(
                    1, c, response.Epsilon, x, Values("scale")!, Values("shift")!, Values("threshold") ?? [.. Enumerable.Repeat(double.NegativeInfinity, c)]),
                LocalResponseNormalization lrn => Plain.Lrn(new LrnOptions(c, lrn.Window, lrn.Kappa, lrn.Alpha, lrn.Beta), x),
                PixelScale => [.. x.Zip(Values("factors")!, (value, factor) => value * factor)],
                Dropout => x,
                UnitVector => Plain.UnitVector(x, x.Length),
                _ => throw new NotSupportedException(layer.Layer.GetType().Name),
            };
        }

        return x;
    }

    private static double Normalized(double value, int c, double epsilon, double[] mean, double[] variance, double[]? scale, double[]? shift) =>
        ((value - mean[c]) / Math.Sqrt(variance[c] + epsilon) * (scale?[c] ?? 1)) + (shift?[c] ?? 0);
}
