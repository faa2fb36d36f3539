using System.Globalization;
using CudaL2Net.Formats;

namespace CudaL2Net.Networks;

/// <summary>
/// A model on disk: a safetensors file. Its metadata hold the network as JSON (<c>network</c>) and say where the model comes from. Its tensors are
/// <c>towers.T.layers.L.NAME</c> and <c>head.layers.L.NAME</c>, T from 0, L the layer's number from 1, and <c>towers.T.mean_image</c> [side][side].
/// Files of the first form, of L2-Net alone, are read as well (<see cref="OldModelFile"/>).
/// </summary>
/// <param name="Network">The network.</param>
/// <param name="Weights">Its weights.</param>
/// <param name="PatchScale">The patch's side in an image, in diameters of the keypoint it was cut at.</param>
/// <param name="Metadata">All of the file's metadata.</param>
public sealed record ModelFile(Network Network, NetworkWeights Weights, double PatchScale, IReadOnlyDictionary<string, string> Metadata)
{
    internal const string Format = "cudal2net-model-2";

    /// <summary>The entry of the metadata by which other programs see that a training was not at its end.</summary>
    internal const string UnfinishedKey = "unfinished";

    /// <summary>Metadata that only a checkpoint has; a model that is written anew has none of them.</summary>
    private static readonly string[] OfCheckpoints = ["checkpoint", "options", "data", "first_loss", "device", "precision"];

    private const string HeadPrefix = "head.layers.";

    /// <summary>What errors call the model.</summary>
    internal string Source { get; init; } = "the model";

    /// <summary>Whether the model was read from a file with a digest, which it then has. Damage to a file of an earlier version may go unnoticed.</summary>
    public bool HasDigest { get; init; }

    /// <summary>Where the training was, <c>step k of n</c>, if it was not at its end; else null. Such a model may be as good as random.</summary>
    public string? Unfinished => TrainingPosition.Find(Metadata, Source) is { IsEnd: false } at ? at.ToString() : null;

    /// <summary>Reads a model.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or is no model of this program; the text names the file, what is wrong, and what a file of
    /// another kind is for.</exception>
    public static ModelFile Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using FileStream stream = InputFile.Open(path);
        byte[] start = new byte[FileKinds.Bytes];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        FileKind kind = FileKinds.Of(start.AsSpan(0, read));
        if (kind is not (FileKind.Safetensors or FileKind.Unknown))
        {
            throw new InvalidDataException($"{path} is no model of cudal2net but {FileKinds.NameOf(kind)}: {UseOf(kind)}");
        }

        stream.Position = 0;
        return Read(stream, path);
    }

    /// <summary>Reads a model from a stream; errors call it <paramref name="name"/>.</summary>
    /// <exception cref="InvalidDataException">The content is damaged or no model.</exception>
    public static ModelFile Read(Stream stream, string name) => From(SafetensorsFile.Read(stream, name));

    /// <summary>An untrained network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <exception cref="ArgumentException">The network's layers do not fit.</exception>
    public static ModelFile Untrained(Network network, ulong seed) =>
        new(network, NetworkWeights.Initialize(network, seed), 10, new Dictionary<string, string> { ["preset"] = "untrained" });

    /// <summary>Writes the model.</summary>
    /// <param name="path">The file; replaced only once the new one is complete.</param>
    /// <param name="half">Whether filters are rounded to float16, which halves the file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path, bool half = false)
    {
        var tensors = new Dictionary<string, SafetensorsTensor>();
        AddTensors(tensors, half);
        SafetensorsFile.Write(path, tensors, CompleteMetadata());
    }

    /// <summary>The bytes of the model's file, as <see cref="Write"/> makes it and <see cref="Read(Stream, string)"/> takes it.</summary>
    /// <param name="half">Whether filters are rounded to float16.</param>
    public byte[] ToBytes(bool half = false)
    {
        var tensors = new Dictionary<string, SafetensorsTensor>();
        AddTensors(tensors, half);
        return SafetensorsFile.ToBytes(tensors, CompleteMetadata());
    }

    /// <summary>Adds the model's tensors to those of a larger file.</summary>
    internal void AddTensors(Dictionary<string, SafetensorsTensor> tensors, bool half)
    {
        var shaped = ShapedNetwork.Of(Network);
        for (int t = 0; t < Weights.Towers.Count; t++)
        {
            TowerWeights tower = Weights.Towers[t];
            if (tower.MeanImage is { } mean)
            {
                int side = shaped.Towers[t].Input.Height;
                tensors[MeanImageName(t)] = SafetensorsTensor.From<float>(mean, side, side);
            }

            Add(shaped.Towers[t], tower.Layers, TowerPrefix(t));
        }

        Add(shaped.Head, Weights.Head, HeadPrefix);

        void Add(LayerChain chain, IReadOnlyList<LayerWeights> weights, string prefix)
        {
            foreach (ShapedLayer layer in chain.Layers)
            {
                foreach (LayerTensor tensor in layer.Tensors)
                {
                    float[] values = weights[layer.Number - 1][tensor.Name];
                    tensors[$"{prefix}{layer.Number}.{tensor.Name}"] = half && tensor.Kind == TensorKind.Weights
                        ? SafetensorsTensor.FromRoundedToHalf(values, tensor.Shape)
                        : SafetensorsTensor.From<float>(values, tensor.Shape);
                }
            }
        }
    }

    /// <summary>The metadata with the entries that describe the network.</summary>
    internal Dictionary<string, string> CompleteMetadata()
    {
        var metadata = new Dictionary<string, string>(Metadata)
        {
            ["format"] = Format,
            ["network"] = NetworkFile.Write(Network),
            ["patch_scale"] = PatchScale.ToString("R", CultureInfo.InvariantCulture),
        };
        foreach (string old in OldModelFile.Members.Concat(OfCheckpoints))
        {
            metadata.Remove(old);
        }

        if (Unfinished is { } position)
        {
            metadata[UnfinishedKey] = position;
        }
        else
        {
            TrainingPosition.Keys.ToList().ForEach(key => metadata.Remove(key));
        }

        return metadata;
    }

    /// <summary>The model in a safetensors file, whose other tensors are ignored.</summary>
    /// <exception cref="InvalidDataException">The file holds no model.</exception>
    internal static ModelFile From(SafetensorsFile file)
    {
        string format = file.Metadata.GetValueOrDefault("format", "");
        ModelFile model = format switch
        {
            Format => FromPresentForm(file),
            OldModelFile.Format => OldModelFile.From(file),
            _ => throw new InvalidDataException(
                $"{file.Name}: this is not a model of cudal2net (its metadata has {(format.Length == 0 ? "no format entry" : $"format '{format}'")}, "
                    + $"expected '{Format}')"),
        };
        TrainingPosition.Find(file.Metadata, file.Name);
        return model with { Source = file.Name, HasDigest = file.HasDigest };
    }

    private static ModelFile FromPresentForm(SafetensorsFile file)
    {
        Network network = NetworkFile.Parse(Required(file, "network"), $"{file.Name}: metadata 'network'");
        var shaped = ShapedNetwork.Of(network);
        TowerWeights[] towers =
        [
            .. shaped.Towers.Select((tower, t) => new TowerWeights(
                Optional(file, MeanImageName(t), tower.Input.Height, tower.Input.Width), Layers(tower, TowerPrefix(t)))),
        ];
        return new ModelFile(network, new NetworkWeights(towers, Layers(shaped.Head, HeadPrefix)), Positive(file, "patch_scale"), file.Metadata);

        LayerWeights[] Layers(LayerChain chain, string prefix) => [.. chain.Layers.Select(layer => layer.Tensors.Count == 0
            ? LayerWeights.None
            : new LayerWeights(layer.Tensors.ToDictionary(
                tensor => tensor.Name, tensor => Finite(file, $"{prefix}{layer.Number}.{tensor.Name}", tensor.Kind, tensor.Shape))))];
    }

    /// <summary>An entry of the metadata.</summary>
    internal static string Required(SafetensorsFile file, string key) => file.Metadata.TryGetValue(key, out string? value)
        ? value
        : throw new InvalidDataException($"{file.Name}: the metadata has no '{key}'");

    /// <summary>An entry of the metadata that is a number above 0.</summary>
    internal static double Positive(SafetensorsFile file, string key) =>
        double.TryParse(Required(file, key), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && double.IsFinite(value)
            ? value
            : throw new InvalidDataException($"{file.Name}: metadata '{key}' is '{Required(file, key)}', expected a positive number");

    /// <summary>A tensor, or null where the file has none of that name.</summary>
    internal static float[]? Optional(SafetensorsFile file, string name, params ReadOnlySpan<int> shape) =>
        file.Tensors.ContainsKey(name) ? Finite(file, name, TensorKind.Zeros, shape) : null;

    /// <summary>A tensor whose values are finite, and not negative where they are variances.</summary>
    internal static float[] Finite(SafetensorsFile file, string name, TensorKind kind, params ReadOnlySpan<int> shape)
    {
        float[] values = file.ReadFloats(name, shape);
        int bad = Array.FindIndex(values, v => !float.IsFinite(v));
        if (bad >= 0)
        {
            throw new InvalidDataException($"{file.Name}: tensor '{name}' has {values[bad]} at index {bad}");
        }

        return kind == TensorKind.RunningVariance && values.Any(v => v < 0)
            ? throw new InvalidDataException($"{file.Name}: tensor '{name}' has a negative value")
            : values;
    }

    private static string UseOf(FileKind kind) => kind switch
    {
        FileKind.PyTorch => "cudal2net import makes a model of the weights of published networks; export other networks to ONNX, for evaluate --method onnx:FILE",
        FileKind.Matrix or FileKind.Torch7 => "cudal2net import makes a model of the weights of published networks",
        FileKind.Onnx => "evaluate --method onnx:FILE takes it",
        FileKind.NumPy => "describe FILE --out DESCRIPTORS.npy takes patches",
        FileKind.Image => "describe FILE and match A B take images",
        FileKind.Json => "a network's description goes to train --network FILE or info --network FILE",
        _ => "models end in .safetensors, and the --out folder of a training is one, too",
    };

    private static string TowerPrefix(int tower) => $"towers.{tower}.layers.";

    private static string MeanImageName(int tower) => $"towers.{tower}.mean_image";
}
