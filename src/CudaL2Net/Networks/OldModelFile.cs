using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// Model files of the first form, which are read for ever. They hold L2-Net, or two towers of it: <c>towers.T.layers.L.filters</c>, <c>.bias</c>, <c>.scale</c>,
/// <c>.shift</c> (where the network has them), <c>.running_mean</c>, <c>.running_variance</c>, L the number of the convolution, from 1.
/// </summary>
internal static class OldModelFile
{
    public const string Format = "cudal2net-model-1";

    /// <summary>The metadata that say what the network is.</summary>
    public static readonly string[] Members = ["architecture", "normalization", "epsilon"];

    /// <summary>The model in such a file.</summary>
    /// <exception cref="InvalidDataException">The file holds no model.</exception>
    public static ModelFile From(SafetensorsFile file)
    {
        string architecture = ModelFile.Required(file, "architecture");
        if (architecture is not ("l2net" or "cs-l2net"))
        {
            throw new InvalidDataException($"{file.Name}: unknown architecture '{architecture}': expected l2net or cs-l2net");
        }

        PatchNormalization normalization = ModelFile.Required(file, "normalization") switch
        {
            "l2net" => PatchNormalization.L2Net,
            "per-patch" => PatchNormalization.PerPatch,
            string other => throw new InvalidDataException($"{file.Name}: unknown normalization '{other}': expected l2net or per-patch"),
        };
        float epsilon = (float)ModelFile.Positive(file, "epsilon");
        int towers = architecture == "l2net" ? 1 : 2;

        // The towers of a file are alike in what they have.
        bool[] learned = [.. Enumerable.Range(1, L2NetTower.Convolutions.Count).Select(layer => file.Tensors.ContainsKey($"towers.{towers - 1}.layers.{layer}.scale"))];
        bool bias = file.Tensors.ContainsKey($"towers.{towers - 1}.layers.1.bias");
        Network network;
        try
        {
            network = L2NetTower.Network(towers == 2, normalization, bias, epsilon, learned, dropout: 0);
            ShapedNetwork.Of(network);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{file.Name}: {error.Message}", error);
        }

        var weights = new TowerWeights[towers];
        for (int t = 0; t < towers; t++)
        {
            var layers = new List<LayerWeights>();
            int stage = 0;
            foreach (ShapedLayer layer in LayerChain.Of($"tower {t + 1}", network.Towers[t].Layers, new MapShape(PatchSet.Side, PatchSet.Side, 1)).Layers)
            {
                stage += layer.Layer is Convolution ? 1 : 0;
                layers.Add(layer.Tensors.Count == 0 ? LayerWeights.None : new LayerWeights(layer.Tensors.ToDictionary(
                    tensor => tensor.Name, tensor => ModelFile.Finite(file, $"towers.{t}.layers.{stage}.{tensor.Name}", tensor.Kind, tensor.Shape))));
            }

            weights[t] = new TowerWeights(ModelFile.Optional(file, $"towers.{t}.mean_image", PatchSet.Side, PatchSet.Side), layers);
        }

        return new ModelFile(network, new NetworkWeights(weights, []), ModelFile.Positive(file, "patch_scale"), file.Metadata);
    }
}
