using System.Security.Cryptography;
using CudaL2Net.Formats;
using CudaL2Net.Formats.Matlab;
using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Formats.Torch7;

namespace CudaL2Net.Networks;

/// <summary>
/// Makes models of weights that others published: state dictionaries of PyTorch (HardNet, HardNet++, SOSNet, HyNet, TFeat), networks of MatConvNet in MATLAB
/// files (L2-Net, TNet), networks of Torch 7 (DeepDesc). Nothing in a file is executed.
/// </summary>
public static class ModelImport
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">A .pth, .pt, .params, .mat or .t7 file.</param>
    /// <param name="network">The network that the weights are of; null to know it by its tensors. Its layers must be the file's, in their order; biases, learned
    /// scales and epsilons are taken from the file.</param>
    /// <param name="patchScale">The side of a patch in an image, in diameters of the keypoint it is cut at; above 0.</param>
    /// <returns>The model. Its metadata say what it was made of: <c>imported</c>, <c>imported_sha256</c> and, for a network that is known, <c>published</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The scale is not above 0.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or of another kind, or its layers are not the network's; the text names the file.</exception>
    public static ModelFile Read(string path, Network? network = null, double patchScale = 10)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(patchScale);
        try
        {
            ForeignNetwork found = Open(path);
            (Network placed, NetworkWeights weights, PublishedNetwork? published) = network is null ? Recognize(found) : Given(network, found);
            if (published is { WholeDeviation: true })
            {
                weights = WithSampleDeviation(placed, weights);
            }

            RequireUsable(weights);
            var metadata = new Dictionary<string, string> { ["imported"] = Path.GetFileName(path), ["imported_sha256"] = Digest(path) };
            if (published is not null)
            {
                metadata["published"] = published.Title;
            }

            return new ModelFile(placed, weights, patchScale, metadata) { Source = path };
        }
        catch (Exception error) when (error is ContentException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: its weights cannot be imported: {error.Message.TrimEnd('.')}.", error);
        }
    }

    private static ForeignNetwork Open(string path)
    {
        byte[] start = new byte[FileKinds.Bytes];
        FileKind kind;
        using (FileStream stream = InputFile.Open(path))
        {
            kind = FileKinds.Of(start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)));
        }

        return kind switch
        {
            FileKind.PyTorch => PyTorchWeights.Read(TorchFile.Read(path)),
            FileKind.Matrix => MatConvNetWeights.Read(MatFile.Read(path)),
            FileKind.Torch7 => Torch7Weights.Read(Torch7File.Read(path)),
            FileKind.Safetensors => throw new ContentException("it is a safetensors file, which --model takes where this program wrote it"),
            _ => throw new ContentException(
                $"it is {FileKinds.NameOf(kind) ?? "of no kind that is known"}; taken are PyTorch's .pth, MATLAB's .mat (5 and 7.3) and Torch 7's .t7"),
        };
    }

    private static (Network Network, NetworkWeights Weights, PublishedNetwork Published) Recognize(ForeignNetwork found)
    {
        var fitting = new List<(Network, NetworkWeights, PublishedNetwork)>();
        foreach (PublishedNetwork published in PublishedNetwork.All.Where(one => one.Program == found.Program && !one.OnRequest))
        {
            try
            {
                (Network placed, NetworkWeights weights) = ForeignPlacement.Place(NetworkFile.Find(published.Name), found);
                fitting.Add((placed, weights, published));
            }
            catch (ArgumentException)
            {
                // It is another.
            }
        }

        string first = found.Towers[0].Layers.FirstOrDefault()?.Name ?? "";
        (Network, NetworkWeights, PublishedNetwork Published)[] named = fitting.Count == 1 ? [.. fitting]
            : [.. fitting.Where(one => one.Item3.Prefixes.Any(prefix => $"{first}.".StartsWith(prefix, StringComparison.Ordinal)))];
        if (named is [var only])
        {
            return only;
        }

        string layers = string.Join("; ", found.Towers[0].Layers.Take(4));
        throw new ContentException(fitting.Count > 1
            ? $"its layers are those of {string.Join(" and of ", fitting.Select(one => one.Item3.Name))}, and its names (the first is {first}) do not tell which: name the network"
            : $"its layers ({layers}{(found.Towers[0].Layers.Count > 4 ? "; ..." : "")}) are those of no published network that is known "
                + $"({string.Join(", ", PublishedNetwork.All.Select(one => one.Name))}): name the network");
    }

    private static (Network Network, NetworkWeights Weights, PublishedNetwork? Published) Given(Network network, ForeignNetwork found)
    {
        (Network placed, NetworkWeights weights) = ForeignPlacement.Place(network, found);
        PublishedNetwork? published = PublishedNetwork.All.FirstOrDefault(
            one => one.Program == found.Program && one.Name == network.Name && NetworkFile.Find(one.Name).IsSameAs(network));
        return (placed, weights, published);
    }

    // Deviations with n are smaller than those with n - 1 by a factor that is the same for all patches.
    private static NetworkWeights WithSampleDeviation(Network network, NetworkWeights weights)
    {
        int pixels = network.Input.Side * network.Input.Side;
        double factor = Math.Sqrt(pixels / (pixels - 1.0));
        LayerWeights first = weights.Towers[0].Layers[0];
        LayerWeights scaled = first.With("filters", Array.ConvertAll(first["filters"], value => (float)(value * factor)));
        return weights with { Towers = [weights.Towers[0] with { Layers = [scaled, .. weights.Towers[0].Layers.Skip(1)] }] };
    }

    private static void RequireUsable(NetworkWeights weights)
    {
        foreach (LayerWeights layer in weights.Towers.SelectMany(tower => tower.Layers))
        {
            foreach (string name in layer.Names)
            {
                if (layer[name].Any(value => !float.IsFinite(value)) || (name == "running_variance" && layer[name].Any(value => value < 0)))
                {
                    throw new ContentException($"one of its tensors ({name}) has values that are not finite, or a negative variance");
                }
            }
        }

        if (weights.Towers.Any(tower => tower.MeanImage?.Any(value => !float.IsFinite(value)) == true))
        {
            throw new ContentException("its mean image has values that are not finite");
        }
    }

    private static string Digest(string path)
    {
        using FileStream stream = InputFile.Open(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
