using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks.Onnx;
using Google.Protobuf;

namespace CudaL2Net.Networks;

/// <summary>
/// Writes models as ONNX, with batch normalization folded in and the normalization of patches included. Only operators that both ONNX Runtime and OpenCV's DNN
/// module run are used.
/// </summary>
public static class OnnxExporter
{
    /// <summary>The version of the ONNX operator set that the model asks for.</summary>
    public const int Opset = OnnxGraph.Opset;

    /// <summary>
    /// Writes a model. Its input is <c>patches</c>, float [N][1][side][side], N free, grey values 0 to 255; its output <c>descriptors</c>, float [N][d]. A
    /// network that scores pairs has the inputs <c>first</c> and <c>second</c> and the output <c>scores</c>, float [N][1]. Views of the patch are a part of
    /// the model.
    /// </summary>
    /// <param name="path">The file; replaced only once the new one is complete.</param>
    /// <param name="model">The model.</param>
    /// <param name="metadata">Text stored with the model, or null; <c>unfinished</c> is added where the model's training was not at its end.</param>
    /// <exception cref="NotSupportedException">A layer has no form in ONNX; the message names it.</exception>
    /// <exception cref="IOException">The file cannot be written; an older file is untouched.</exception>
    public static void Write(string path, ModelFile model, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ModelProto proto = Build(model, metadata);
        AtomicFile.Write(path, proto.WriteTo);
    }

    /// <summary>The model as <see cref="Write"/> writes it.</summary>
    internal static ModelProto Build(ModelFile model, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(model);
        var shaped = ShapedNetwork.Of(model.Network);
        var graph = new OnnxGraph();
        int side = model.Network.Input.Side;
        string output = model.Network.ScoresPairs ? "scores" : "descriptors";
        string x;
        if (!model.Network.ScoresPairs)
        {
            x = Towers(graph, model, shaped, "", [graph.Input("patches", 1, side, side)]);
            if (model.Network.Head is { Comparison: DescriptorComparison.Cosine, UnitVectors: false })
            {
                var descriptor = LayerChain.Of("the descriptor", [new UnitVector()], new MapShape(1, 1, shaped.Dimension));
                x = new LayerExporter(graph, "descriptor/").Export(FoldedTower.Of(descriptor, [LayerWeights.None]), x);
            }
        }
        else
        {
            string first = graph.Input("first", 1, side, side), second = graph.Input("second", 1, side, side);
            x = model.Network.Input.Channels == 2
                ? Towers(graph, model, shaped, "", [first, second])
                : graph.Add(
                    "Concat",
                    "features",
                    [Towers(graph, model, shaped, "first/", [first]), Towers(graph, model, shaped, "second/", [second])],
                    ("axis", 1));
            x = new LayerExporter(graph, "head/").Export(FoldedTower.Of(shaped.Head, model.Weights.Head), x);
        }

        graph.Add("Flatten", output, [x], ("axis", 1));
        ModelProto proto = graph.ToModel(model.Network.Name, output, model.Network.ScoresPairs ? 1 : shaped.Dimension);
        var entries = new Dictionary<string, string>(metadata ?? new Dictionary<string, string>());
        if (model.Unfinished is { } position)
        {
            entries[ModelFile.UnfinishedKey] = position;
        }

        foreach ((string key, string value) in entries.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            proto.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        }

        return proto;
    }

    /// <summary>All towers on one patch, or on both patches of a pair as channels: [N][d][1][1].</summary>
    private static string Towers(OnnxGraph graph, ModelFile model, ShapedNetwork shaped, string prefix, string[] patches)
    {
        var outputs = new string[shaped.Towers.Count];
        for (int t = 0; t < outputs.Length; t++)
        {
            string name = outputs.Length == 1 ? prefix : $"{prefix}tower{t + 1}/";
            Tower tower = model.Network.Towers[t];
            string[] channels = [.. patches.Select((patch, i) => Normalized(
                graph, patches.Length == 1 ? name : $"{name}channel{i + 1}/", patch, tower.View, model.Network.Input, model.Weights.Towers[t].MeanImage,
                shaped.Towers[t].Input.Height))];
            string x = channels.Length == 1 ? channels[0] : graph.Add("Concat", $"{name}channels", channels, ("axis", 1));
            var exporter = new LayerExporter(graph, name);
            x = exporter.Export(FoldedTower.Of(shaped.Towers[t], model.Weights.Towers[t].Layers), x);
            outputs[t] = shaped.Towers[t].Output is { Height: 1, Width: 1 } ? x : exporter.Flattened(x, shaped.Towers[t].Output);
        }

        return outputs.Length == 1 ? outputs[0] : graph.Add("Concat", $"{prefix}towers", outputs, ("axis", 1));
    }

    /// <summary>The view of a patch, as numbers.</summary>
    private static string Normalized(OnnxGraph graph, string prefix, string x, PatchView view, NetworkInput input, float[]? meanImage, int side)
    {
        x = view switch
        {
            PatchView.Reduced => Reduced(graph, prefix, x),
            PatchView.Centre => CentreCrop(graph, prefix, x),
            _ => x,
        };
        if (meanImage is not null && input.Normalization is PatchNormalization.L2Net or PatchNormalization.Fixed)
        {
            x = graph.Add("Sub", prefix + "minus_mean_image", [x, graph.Initializer<float>(prefix + "mean_image", meanImage, 1, 1, side, side)]);
        }

        if (input.Normalization == PatchNormalization.Fixed)
        {
            x = graph.Add("Sub", prefix + "centred", [x, Constant("mean", input.Mean)]);
            return graph.Add("Div", prefix + "normalized", [x, Constant("deviation", input.Deviation)]);
        }

        string centred = graph.Add("Sub", prefix + "centred", [x, graph.Add("GlobalAveragePool", prefix + "mean", [x])]);
        if (input.Normalization == PatchNormalization.Centred)
        {
            return graph.Add("Div", prefix + "normalized", [centred, Constant("deviation", input.Deviation)]);
        }

        float epsilon = input.Normalization == PatchNormalization.L2Net ? 1e-12f : 1e-7f, count = side * side;
        string square = graph.Add("GlobalAveragePool", prefix + "variance_n", [graph.Add("Mul", prefix + "centred^2", [centred, centred])]);
        string variance = graph.Add("Mul", prefix + "variance", [square, Constant("n/(n-1)", count / (count - 1))]);
        string deviation = graph.Add("Sqrt", prefix + "deviation", [variance]);
        return graph.Add("Div", prefix + "normalized", [centred, graph.Add("Add", prefix + "deviation+epsilon", [deviation, Constant("epsilon", epsilon)])]);

        string Constant(string name, float value) => graph.Initializer<float>(prefix + name, [value], 1, 1, 1, 1);
    }

    /// <summary>64 x 64 to the rounded means of 2 x 2 pixels, which are bytes again.</summary>
    private static string Reduced(OnnxGraph graph, string prefix, string x)
    {
        string mean = graph.Add("AveragePool", prefix + "mean2x2", [x], ("kernel_shape", (long[])[2, 2]), ("strides", (long[])[2, 2]));
        string half = graph.Initializer<float>(prefix + "half", [0.5f], 1, 1, 1, 1);
        return graph.Add("Floor", prefix + "reduced", [graph.Add("Add", prefix + "mean2x2+0.5", [mean, half])]);
    }

    private static string CentreCrop(OnnxGraph graph, string prefix, string x)
    {
        string starts = graph.Initializer<long>(prefix + "starts", [16, 16], 2), ends = graph.Initializer<long>(prefix + "ends", [48, 48], 2);
        return graph.Add("Slice", prefix + "centre", [x, starts, ends, graph.Initializer<long>(prefix + "axes", [2, 3], 2)]);
    }
}
