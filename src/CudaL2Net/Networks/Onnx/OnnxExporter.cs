using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using Google.Protobuf;

namespace CudaL2Net.Networks.Onnx;

/// <summary>
/// Writes networks with batch normalization folded in as ONNX models, normalization of the patch and unit vector included. Only operators that
/// both ONNX Runtime and OpenCV's DNN module run are used.
/// </summary>
public static class OnnxExporter
{
    /// <summary>The version of the ONNX operator set that the model asks for.</summary>
    public const int Opset = 13;

    /// <summary>
    /// Writes a model with the input <c>patches</c>, float [N][1][32][32], and the output <c>descriptors</c>, float [N][d], N free. Grey values are 0 to 255.
    /// With two towers (centre-surround) the input is [N][1][64][64]: the first tower sees it reduced to 32 x 32 as by <see cref="Data.PatchResize"/>, the
    /// second one its central 32 x 32 pixels, and the descriptor is the one unit vector after the other.
    /// </summary>
    /// <param name="path">The file; replaced only once the new one is complete.</param>
    /// <param name="towers">One network, or two of a centre-surround model.</param>
    /// <param name="metadata">Text stored with the model, or null.</param>
    /// <exception cref="ArgumentException">There are neither one nor two towers, or one does not end in a 1 x 1 map.</exception>
    /// <exception cref="IOException">The file cannot be written; an older file is untouched.</exception>
    internal static void Write(string path, IReadOnlyList<FoldedNetwork> towers, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ModelProto model = Build(towers, metadata);
        AtomicFile.Write(path, model.WriteTo);
    }

    /// <summary>The model as <see cref="Write"/> writes it.</summary>
    internal static ModelProto Build(IReadOnlyList<FoldedNetwork> towers, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(towers);
        if (towers.Count is not (1 or 2))
        {
            throw new ArgumentException($"a model has one tower, or two if it is centre-surround, not {towers.Count}", nameof(towers));
        }

        var graph = new GraphWriter();
        int side = towers.Count == 1 ? 32 : 64;
        if (towers.Count == 1)
        {
            graph.AddTower("", "patches", towers[0], "descriptors");
        }
        else
        {
            graph.AddTower("left/", graph.AddReduction("patches"), towers[0], "left/descriptors");
            graph.AddTower("right/", graph.AddCentreCrop("patches"), towers[1], "right/descriptors");
            graph.Add("Concat", "descriptors", ["left/descriptors", "right/descriptors"], ("axis", 1));
        }

        ModelProto model = graph.ToModel(towers.Count == 1 ? "L2-Net" : "centre-surround L2-Net", side, towers.Sum(tower => tower.Dimension));
        foreach ((string key, string value) in (metadata ?? new Dictionary<string, string>()).OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        }

        return model;
    }

    private sealed class GraphWriter : OnnxGraph
    {
        /// <summary>64 x 64 to the rounded means of 2 x 2 pixels, which are bytes again.</summary>
        public string AddReduction(string patches)
        {
            string mean = Add("AveragePool", "left/mean2x2", [patches], ("kernel_shape", (long[])[2, 2]), ("strides", (long[])[2, 2]));
            return Add("Floor", "left/patches", [Add("Add", "left/mean2x2+0.5", [mean, Constant("left/half", 0.5f)])]);
        }

        public string AddCentreCrop(string patches)
        {
            string starts = Initializer<long>("right/starts", [16, 16], 2), ends = Initializer<long>("right/ends", [48, 48], 2);
            return Add("Slice", "right/patches", [patches, starts, ends, Initializer<long>("right/axes", [2, 3], 2)]);
        }

        public void AddTower(string prefix, string patches, FoldedNetwork tower, string output)
        {
            string x = AddNormalization(prefix, patches, tower);
            int side = FoldedNetwork.InputSide;
            for (int i = 0; i < tower.Layers.Count; i++)
            {
                x = AddLayer($"{prefix}conv{i + 1}", x, tower.Layers[i]);
                side = ((side + (2 * tower.Layers[i].Padding) - tower.Layers[i].Kernel) / tower.Layers[i].Stride) + 1;
            }

            if (side != 1)
            {
                throw new ArgumentException($"the network ends in a map of {side} x {side}, not 1 x 1", nameof(tower));
            }

            string sum = Add("ReduceSumSquare", prefix + "norm^2", [x], ("axes", (long[])[1]), ("keepdims", 1));
            string norm = Add("Sqrt", prefix + "norm", [Add("Add", prefix + "norm^2+epsilon", [sum, Constant(prefix + "unit_epsilon", 1e-10f)])]);
            Add("Flatten", output, [Add("Div", prefix + "unit", [x, norm])], ("axis", 1));
        }

        private string AddNormalization(string prefix, string x, FoldedNetwork tower)
        {
            const int Count = FoldedNetwork.InputSide * FoldedNetwork.InputSide;
            if (tower.MeanImage is not null && tower.Normalization == PatchNormalization.L2Net)
            {
                string mean = Initializer<float>(prefix + "mean_image", tower.MeanImage, 1, 1, FoldedNetwork.InputSide, FoldedNetwork.InputSide);
                x = Add("Sub", prefix + "minus_mean_image", [x, mean]);
            }

            float epsilon = tower.Normalization == PatchNormalization.L2Net ? 1e-12f : 1e-7f;
            string centred = Add("Sub", prefix + "centred", [x, Add("GlobalAveragePool", prefix + "mean", [x])]);
            string square = Add("GlobalAveragePool", prefix + "variance_n", [Add("Mul", prefix + "centred^2", [centred, centred])]);
            string variance = Add("Mul", prefix + "variance", [square, Constant(prefix + "n/(n-1)", Count / (Count - 1f))]);
            string deviation = Add("Sqrt", prefix + "deviation", [variance]);
            return Add("Div", prefix + "normalized", [centred, Add("Add", prefix + "deviation+epsilon", [deviation, Constant(prefix + "epsilon", epsilon)])]);
        }

        private string AddLayer(string name, string x, FoldedLayer layer)
        {
            // [out][kh][kw][in] to [out][in][kh][kw].
            int positions = layer.Kernel * layer.Kernel;
            float[] filters = new float[layer.Filters.Length];
            for (int o = 0; o < layer.OutChannels; o++)
            {
                for (int position = 0; position < positions; position++)
                {
                    for (int i = 0; i < layer.InChannels; i++)
                    {
                        filters[(((o * layer.InChannels) + i) * positions) + position] = layer.Filters[(((o * positions) + position) * layer.InChannels) + i];
                    }
                }
            }

            string[] inputs =
            [
                x,
                Initializer<float>(name + "/weight", filters, layer.OutChannels, layer.InChannels, layer.Kernel, layer.Kernel),
                Initializer<float>(name + "/bias", layer.Bias, layer.OutChannels),
            ];
            string y = Add(
                "Conv",
                name,
                inputs,
                ("kernel_shape", (long[])[layer.Kernel, layer.Kernel]),
                ("strides", (long[])[layer.Stride, layer.Stride]),
                ("pads", (long[])[layer.Padding, layer.Padding, layer.Padding, layer.Padding]));
            return layer.Relu ? Add("Relu", name + "/relu", [y]) : y;
        }

        private string Constant(string name, float value) => Initializer<float>(name, [value], 1, 1, 1, 1);
    }
}
