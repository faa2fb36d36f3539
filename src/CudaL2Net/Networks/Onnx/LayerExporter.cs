using CudaL2Net.Networks.Onnx;

namespace CudaL2Net.Networks;

/// <summary>Writes layers into an ONNX graph; maps are [N][c][h][w].</summary>
/// <param name="graph">The graph.</param>
/// <param name="prefix">What names of its values start with.</param>
internal sealed class LayerExporter(OnnxGraph graph, string prefix)
{
    private int nodes;

    /// <summary>The map that the layer reads.</summary>
    public MapShape Input { get; private set; }

    /// <summary>The layer's values.</summary>
    public LayerWeights Weights { get; private set; } = LayerWeights.None;

    private string Name { get; set; } = "";

    /// <summary>Writes a folded chain.</summary>
    /// <param name="tower">The chain.</param>
    /// <param name="x">The name of its input.</param>
    /// <returns>The name of its output.</returns>
    public string Export(FoldedTower tower, string x)
    {
        foreach (ShapedLayer layer in tower.Chain.Layers)
        {
            Input = layer.Input;
            Weights = tower.Weights[layer.Number - 1];
            Name = $"{prefix}{layer.Number}-{LayerKinds.NameOf(layer.Layer)}";
            nodes = 0;
            x = layer.Layer.Export(this, x);
        }

        return x;
    }

    /// <summary>Adds an operator with one output, whose name is returned.</summary>
    public string Add(string operation, string[] inputs, params ReadOnlySpan<(string Name, object Value)> attributes) =>
        graph.Add(operation, nodes++ == 0 ? Name : $"{Name}/{nodes}", inputs, attributes);

    /// <summary>A number, to be combined with any map.</summary>
    public string Constant(string name, float value) => graph.Initializer<float>($"{Name}/{name}", [value], 1, 1, 1, 1);

    /// <summary>Values of any shape.</summary>
    public string Values(string name, float[] values, params ReadOnlySpan<int> shape) => graph.Initializer<float>($"{Name}/{name}", values, shape);

    /// <summary>A convolution with the layer's filters and bias.</summary>
    public string Convolution(string x, int outChannels, int kernel, int stride, int padding) =>
        Convolution(x, "filters", outChannels, kernel, kernel, stride, padding);

    /// <summary>A convolution with a tensor of the layer, [out][kh][kw][in], and the layer's bias.</summary>
    public string Convolution(string x, string tensor, int outChannels, int kernelHeight, int kernelWidth, int stride, int padding)
    {
        // [out][kh][kw][in] to [out][in][kh][kw].
        float[] filters = Weights[tensor];
        int positions = kernelHeight * kernelWidth, channels = Input.Channels;
        float[] turned = new float[filters.Length];
        for (int o = 0; o < outChannels; o++)
        {
            for (int position = 0; position < positions; position++)
            {
                for (int i = 0; i < channels; i++)
                {
                    turned[(((o * channels) + i) * positions) + position] = filters[(((o * positions) + position) * channels) + i];
                }
            }
        }

        string weight = Values("weight", turned, outChannels, channels, kernelHeight, kernelWidth);
        return Add(
            "Conv",
            Weights.Find("bias") is { } bias ? [x, weight, Values("bias", bias, outChannels)] : [x, weight],
            ("kernel_shape", (long[])[kernelHeight, kernelWidth]),
            ("strides", (long[])[stride, stride]),
            ("pads", (long[])[padding, padding, padding, padding]));
    }

    /// <summary>factor x + term per channel.</summary>
    public string ChannelAffine(string x, float[] factors, float[] terms)
    {
        string scaled = Add("Mul", [x, Values("factors", factors, 1, factors.Length, 1, 1)]);
        return Add("Add", [scaled, Values("terms", terms, 1, terms.Length, 1, 1)]);
    }

    /// <summary>All values of a map divided by their length.</summary>
    public string UnitVector(string x)
    {
        string flat = Input.Height == 1 && Input.Width == 1 ? x : Flat(x);
        string sum = Add("ReduceSumSquare", [flat], ("axes", (long[])[1]), ("keepdims", 1));
        return Add("Div", [flat, Add("Sqrt", [Add("Add", [sum, Constant("epsilon", 1e-10f)])])]);
    }

    /// <summary>A map of another size as <see cref="Flat"/> makes it.</summary>
    public string Flattened(string x, MapShape map)
    {
        Input = map;
        Name = $"{prefix}flat";
        nodes = 0;
        return Flat(x);
    }

    /// <summary>A map as [N][values][1][1], in the order [row][column][channel] that layers behind it expect.</summary>
    public string Flat(string x)
    {
        string turned = Add("Transpose", [x], ("perm", (long[])[0, 2, 3, 1]));
        string shape = graph.Initializer<long>($"{Name}/flat", [-1, Input.Length, 1, 1], 4);
        return Add("Reshape", [turned, shape]);
    }
}
