namespace CudaL2Net.Fuzz.Readers;

/// <summary>The readers under test, by name.</summary>
internal static class AllReaders
{
    private const string Planted = "planted-";

    private static readonly Dictionary<string, Func<string, Reader>> Known = new()
    {
        ["safetensors"] = ModelReaders.Safetensors,
        ["model"] = ModelReaders.Model,
        ["checkpoint"] = ModelReaders.Checkpoint,
        ["network"] = ModelReaders.Network,
        ["pytorch"] = ModelReaders.PyTorch,
        ["matlab5"] = ForeignReaders.Matlab5,
        ["matlab73"] = ForeignReaders.Matlab73,
        ["torch7"] = ForeignReaders.Torch7,
        ["import"] = ForeignReaders.Import,
        ["onnx"] = ModelReaders.Onnx,
        ["npy"] = ArrayReaders.Npy,
        ["npz"] = ArrayReaders.Npz,
        ["patches"] = ArrayReaders.Patches,
        ["cache"] = ArrayReaders.Cache,
        ["bmp"] = ImageReaders.Bmp,
        ["jpeg"] = ImageReaders.Jpeg,
        ["png"] = ImageReaders.Png,
        ["strip"] = ImageReaders.Strip,
        ["tiff"] = ImageReaders.Tiff,
        ["webp"] = ImageReaders.Webp,
        ["pnm"] = ImageReaders.Pnm,
        ["image"] = ImageReaders.Any,
        ["homography"] = TextReaders.Homography,
        ["sequence"] = TextReaders.Sequence,
        ["regions"] = TextReaders.Regions,
        ["keypoints"] = TextReaders.Keypoints,
        ["keypoints-colmap"] = TextReaders.ColmapKeypoints,
        ["keypoints-regions"] = TextReaders.KeypointRegions,
        ["keypoint-rows"] = ArrayReaders.KeypointRows,
        ["brown-info"] = TextReaders.BrownInfo,
        ["brown-pairs"] = TextReaders.BrownPairs,
        ["brown-mosaic"] = ImageReaders.BrownMosaic,
        ["w1bs"] = ImageReaders.W1bs,
        ["hpatches-splits"] = TextReaders.HPatchesSplits,
        ["hpatches-pairs"] = TextReaders.HPatchesPairs,
        ["hpatches-queries"] = TextReaders.HPatchesQueries,
        ["hpatches-csv"] = TextReaders.HPatchesDescriptors,
        ["run"] = TextReaders.Run,
        ["cell"] = TextReaders.Cell,
        ["bench"] = TextReaders.Bench,
        ["metrics"] = TextReaders.Metrics,
        [Planted + "throws"] = PlantedReaders.Throws,
        [Planted + "unnamed"] = PlantedReaders.Unnamed,
        [Planted + "careless"] = PlantedReaders.Careless,
        [Planted + "greedy"] = PlantedReaders.Greedy,
        [Planted + "dies"] = PlantedReaders.Dies,
    };

    /// <summary>All names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Keys];

    /// <summary>The names of those that are tested unless others are asked for.</summary>
    public static IReadOnlyList<string> Usual { get; } = [.. Known.Keys.Where(name => !name.StartsWith(Planted, StringComparison.Ordinal))];

    /// <summary>A reader, with its samples.</summary>
    public static Reader Make(string name) => Known[name](name);
}
