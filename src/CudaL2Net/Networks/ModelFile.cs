using System.Globalization;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// A model on disk: a safetensors file with <c>towers.T.layers.L.filters</c> [out][kh][kw][in], <c>.bias</c>, <c>.scale</c>, <c>.shift</c> (where the
/// network has them),
/// <c>.running_mean</c>, <c>.running_variance</c> [out], and <c>towers.T.mean_image</c> [32][32]; T from 0, L from 1. The metadata says what it is and where
/// it comes from.
/// </summary>
/// <param name="Architecture">The network.</param>
/// <param name="Towers">One tower, or two for centre-surround.</param>
/// <param name="PatchScale">The patch's side in a picture, in diameters of the keypoint it was cut at.</param>
/// <param name="Metadata">All of the file's metadata: at least format, architecture, normalization, epsilon and patch_scale.</param>
public sealed record ModelFile(Architecture Architecture, IReadOnlyList<TowerWeights> Towers, double PatchScale, IReadOnlyDictionary<string, string> Metadata)
{
    private const string Format = "cudal2net-model-1";

    /// <summary>Reads a model.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or is no model of this program; the text names the file and what is wrong.</exception>
    public static ModelFile Read(string path) => From(SafetensorsFile.Read(path));

    /// <summary>Reads a model from a stream; errors call it <paramref name="name"/>.</summary>
    /// <exception cref="InvalidDataException">The content is damaged or no model.</exception>
    public static ModelFile Read(Stream stream, string name) => From(SafetensorsFile.Read(stream, name));

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

    /// <summary>Adds the model's tensors to those of a larger file.</summary>
    internal void AddTensors(Dictionary<string, SafetensorsTensor> tensors, bool half)
    {
        for (int t = 0; t < Towers.Count; t++)
        {
            if (Towers[t].MeanImage is { } mean)
            {
                tensors[$"towers.{t}.mean_image"] = SafetensorsTensor.From<float>(mean, PatchSet.Side, PatchSet.Side);
            }

            for (int i = 0; i < TowerLayer.All.Count; i++)
            {
                TowerLayer shape = TowerLayer.All[i];
                LayerWeights layer = Towers[t].Layers[i];
                string prefix = $"towers.{t}.layers.{i + 1}.";
                int[] filterShape = [shape.OutChannels, shape.Kernel, shape.Kernel, shape.InChannels];
                tensors[prefix + "filters"] = half ? SafetensorsTensor.FromRoundedToHalf(layer.Filters, filterShape)
                    : SafetensorsTensor.From<float>(layer.Filters, filterShape);
                Add("bias", layer.Bias);
                Add("scale", layer.Scale);
                Add("shift", layer.Shift);
                Add("running_mean", layer.RunningMean);
                Add("running_variance", layer.RunningVariance);

                void Add(string name, float[]? values)
                {
                    if (values != null)
                    {
                        tensors[prefix + name] = SafetensorsTensor.From<float>(values, values.Length);
                    }
                }
            }
        }
    }

    /// <summary>The metadata with the entries that describe the network.</summary>
    internal Dictionary<string, string> CompleteMetadata() => new(Metadata)
    {
        ["format"] = Format,
        ["architecture"] = Architecture == Architecture.L2Net ? "l2net" : "cs-l2net",
        ["normalization"] = Towers[0].Normalization == PatchNormalization.L2Net ? "l2net" : "per-patch",
        ["epsilon"] = Towers[0].Epsilon.ToString("R", CultureInfo.InvariantCulture),
        ["patch_scale"] = PatchScale.ToString("R", CultureInfo.InvariantCulture),
    };

    /// <summary>The model in a safetensors file, whose other tensors are ignored.</summary>
    /// <exception cref="InvalidDataException">The file holds no model.</exception>
    internal static ModelFile From(SafetensorsFile file)
    {
        string format = file.Metadata.GetValueOrDefault("format", "");
        if (format != Format)
        {
            throw new InvalidDataException(
                $"{file.Name}: this is not a model of cudal2net (its metadata has {(format.Length == 0 ? "no format entry" : $"format '{format}'")}, "
                    + $"expected '{Format}')");
        }

        Architecture architecture = Required("architecture") switch
        {
            "l2net" => Architecture.L2Net,
            "cs-l2net" => Architecture.CentreSurround,
            string other => throw new InvalidDataException($"{file.Name}: unknown architecture '{other}': expected l2net or cs-l2net"),
        };
        PatchNormalization normalization = Required("normalization") switch
        {
            "l2net" => PatchNormalization.L2Net,
            "per-patch" => PatchNormalization.PerPatch,
            string other => throw new InvalidDataException($"{file.Name}: unknown normalization '{other}': expected l2net or per-patch"),
        };
        float epsilon = (float)Positive("epsilon");
        double patchScale = Positive("patch_scale");
        var towers = new TowerWeights[architecture == Architecture.L2Net ? 1 : 2];
        for (int t = 0; t < towers.Length; t++)
        {
            var layers = new LayerWeights[TowerLayer.All.Count];
            for (int i = 0; i < layers.Length; i++)
            {
                TowerLayer shape = TowerLayer.All[i];
                string prefix = $"towers.{t}.layers.{i + 1}.";
                layers[i] = new LayerWeights(
                    Finite(prefix + "filters", shape.OutChannels, shape.Kernel, shape.Kernel, shape.InChannels),
                    Optional(prefix + "bias", shape.OutChannels),
                    Optional(prefix + "scale", shape.OutChannels),
                    Optional(prefix + "shift", shape.OutChannels),
                    Finite(prefix + "running_mean", shape.OutChannels),
                    Finite(prefix + "running_variance", shape.OutChannels));
                if (layers[i].RunningVariance.Any(v => v < 0))
                {
                    throw new InvalidDataException($"{file.Name}: tensor '{prefix}running_variance' has a negative value");
                }
            }

            towers[t] = new TowerWeights(normalization, Optional($"towers.{t}.mean_image", PatchSet.Side, PatchSet.Side), epsilon, layers);
        }

        return new ModelFile(architecture, towers, patchScale, file.Metadata);

        string Required(string key) => file.Metadata.TryGetValue(key, out string? value) ? value
            : throw new InvalidDataException($"{file.Name}: the metadata has no '{key}'");

        double Positive(string key) => double.TryParse(Required(key), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0
            && double.IsFinite(value)
            ? value
            : throw new InvalidDataException($"{file.Name}: metadata '{key}' is '{Required(key)}', expected a positive number");

        float[]? Optional(string name, params ReadOnlySpan<int> shape) => file.Tensors.ContainsKey(name) ? Finite(name, shape) : null;

        float[] Finite(string name, params ReadOnlySpan<int> shape)
        {
            float[] values = file.ReadFloats(name, shape);
            int bad = Array.FindIndex(values, v => !float.IsFinite(v));
            return bad < 0 ? values : throw new InvalidDataException($"{file.Name}: tensor '{name}' has {values[bad]} at index {bad}");
        }
    }
}
