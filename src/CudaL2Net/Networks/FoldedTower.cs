using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>A chain of layers for inference: batch normalizations are folded into the convolutions and linear layers before them, dropout is gone.</summary>
internal sealed class FoldedTower
{
    // What outputs of a layer hardly ever exceed: so many standard deviations above their mean, which batch normalization makes its shift.
    private const double Deviations = 8, LeastLimit = 1e-6;

    private readonly List<LayerWeights> weights = [];
    private readonly List<float[]?> limits = [];

    private FoldedTower(LayerChain chain) => Chain = chain;

    /// <summary>The layers that are left.</summary>
    public LayerChain Chain { get; private set; }

    /// <summary>Their weights.</summary>
    public IReadOnlyList<LayerWeights> Weights => weights;

    /// <summary>Folds a chain.</summary>
    public static FoldedTower Of(LayerChain chain, IReadOnlyList<LayerWeights> weights)
    {
        var folded = new FoldedTower(chain);
        var layers = new List<Layer>();
        for (int i = 0; i < chain.Layers.Count; i++)
        {
            ShapedLayer layer = chain.Layers[i];
            if (layer.Layer is Dropout)
            {
                continue;
            }

            if (layer.Layer is Convolution or Linear && i + 1 < chain.Layers.Count && chain.Layers[i + 1].Layer is BatchNormalization normalization)
            {
                layers.Add(layer.Layer switch
                {
                    Convolution convolution => convolution with { Bias = true },
                    var linear => (Linear)linear with { Bias = true },
                });
                folded.Fold(layer.Layer, weights[i], normalization, weights[i + 1]);
                i++;
            }
            else
            {
                layers.Add(layer.Layer);
                folded.weights.Add(weights[i]);
                folded.limits.Add(null);
            }
        }

        folded.Chain = LayerChain.Of("the folded network", layers, chain.Input);
        return folded;
    }

    /// <summary>The tower as the plain chain of convolutions, ReLU and a unit vector at the end that the devices have plans for; null where it is another.</summary>
    public FoldedNetwork? ToConvolutions(NetworkInput input, float[]? meanImage)
    {
        IReadOnlyList<ShapedLayer> layers = Chain.Layers;
        if (input.Normalization is not (PatchNormalization.PerPatch or PatchNormalization.L2Net) || (input.MeanImage && input.Normalization != PatchNormalization.L2Net)
            || Chain.Input != new MapShape(FoldedNetwork.InputSide, FoldedNetwork.InputSide, 1) || layers[^1].Layer is not UnitVector)
        {
            return null;
        }

        var convolutions = new List<FoldedLayer>();
        MapShape lastMap = Chain.Input;
        int i = 0;
        for (; i < layers.Count - 1; i++)
        {
            ShapedLayer layer = layers[i];
            int kernel, stride = 1, padding = 0;
            switch (layer.Layer)
            {
                case Convolution convolution:
                    (kernel, stride, padding) = (convolution.Kernel, convolution.Stride, convolution.Padding);
                    break;
                case Linear when layer.Input.Height == layer.Input.Width:
                    kernel = layer.Input.Height;
                    break;
                default:
                    return null;
            }

            lastMap = layer.Input;
            bool relu = layers[i + 1].Layer is Relu;
            convolutions.Add(new FoldedLayer(kernel, stride, padding, layer.Input.Channels, layer.Output.Channels, Weights[i][Matrix(layer.Layer)],
                Weights[i].Find("bias") ?? new float[layer.Output.Channels], relu, limits[i]));
            i += relu ? 1 : 0;
        }

        // The plans multiply all values of the last map with one matrix.
        return convolutions is [.., { Relu: false, Padding: 0 } last] && i == layers.Count - 1 && last.Kernel == lastMap.Height
            ? new FoldedNetwork(input.Normalization, meanImage, convolutions)
            : null;
    }

    /// <summary>The tensor that is multiplied.</summary>
    private static string Matrix(Layer layer) => layer is Linear ? "weights" : "filters";

    private void Fold(Layer kind, LayerWeights layer, BatchNormalization normalization, LayerWeights statistics)
    {
        string name = Matrix(kind);
        float[] filters = layer[name], variance = statistics["running_variance"], mean = statistics["running_mean"];
        float[]? bias = layer.Find("bias"), scale = statistics.Find("scale"), shift = statistics.Find("shift");
        int outputs = variance.Length, depth = filters.Length / outputs;
        var foldedFilters = new float[filters.Length];
        var foldedBias = new float[outputs];
        var limit = new float[outputs];
        for (int o = 0; o < outputs; o++)
        {
            double factor = (scale?[o] ?? 1.0) / Math.Sqrt((double)variance[o] + normalization.Epsilon);
            foldedBias[o] = (float)((((bias?[o] ?? 0.0) - mean[o]) * factor) + (shift?[o] ?? 0.0));
            limit[o] = (float)Math.Max((shift?[o] ?? 0.0) + (Deviations * Math.Abs(scale?[o] ?? 1.0)), LeastLimit);
            for (int k = 0; k < depth; k++)
            {
                foldedFilters[(o * depth) + k] = (float)(filters[(o * depth) + k] * factor);
            }
        }

        weights.Add(new LayerWeights(new Dictionary<string, float[]> { [name] = foldedFilters, ["bias"] = foldedBias }));
        limits.Add(limit);
    }
}

/// <summary>The tensors of a folded chain on a tape: nothing is trained.</summary>
internal sealed class FoldedStore(FoldedTower tower) : ILayerStore
{
    public Variable? Parameter(Tape tape, int layer, string name)
    {
        if (tower.Weights[layer].Find(name) is not { } values)
        {
            return null;
        }

        int[] shape = tower.Chain.Layers[layer].Tensors.First(tensor => tensor.Name == name).Shape;
        return tape.Input(tape.Own(tape.Device.Upload<float>(values, shape)));
    }

    public Tensor<float> Statistic(int layer, string name) => throw new InvalidOperationException("a folded network has no statistics that move");

    public LayerWeights Weights(int layer) => tower.Weights[layer];
}
