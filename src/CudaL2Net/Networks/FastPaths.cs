using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;

namespace CudaL2Net.Networks;

/// <summary>Which kernels take a network: those made for some shapes, or the general ones.</summary>
internal static class FastPaths
{
    private const string General = "general kernels, layer after layer";

    /// <summary>For each device and use, in words.</summary>
    public static IReadOnlyDictionary<string, string> Of(ShapedNetwork network)
    {
        FoldedNetwork?[] folded = network.Network.ScoresPairs
            ? [.. network.Towers.Select(_ => (FoldedNetwork?)null)]
            : [.. network.Towers.Select((tower, t) => TowerRunner.Convolutions(network, NetworkWeights.Zeros(network), t))];
        return new Dictionary<string, string>
        {
            ["cpu, describing"] = Each(folded, tower => tower == null
                ? General
                : $"a few patches at a time through all layers, {tower.Geometries().Count(CpuDevice.TakesWinograd)} of {tower.Layers.Count} convolutions by Winograd's method"),
            ["cuda, describing in bf16 or int8"] = Each(folded, tower => tower == null ? General
                : CudaDevice.TakesFusedTower(tower) ? "the whole tower in one kernel" : "convolutions with bias and ReLU, layer after layer"),
            ["cuda, training in bf16"] = Training(network),
        };
    }

    private static string Training(ShapedNetwork network)
    {
        ShapedLayer[] convolutions = [.. network.Towers.SelectMany(tower => tower.Layers).Where(layer => layer.Layer is Convolution)];
        int whole = convolutions.Count(layer => CudaDevice.TakesWholeImages(((Convolution)layer.Layer).Geometry(layer.Input)));
        return whole == 0 ? General : $"{whole} of {convolutions.Length} convolutions on whole images kept as bf16, the others on general kernels";
    }

    private static string Each(FoldedNetwork?[] towers, Func<FoldedNetwork?, string> path) => string.Join("; ", towers.Select(path).Distinct());
}
