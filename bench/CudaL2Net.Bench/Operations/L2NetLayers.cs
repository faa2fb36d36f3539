using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Bench.Operations;

/// <summary>L2-Net's convolutions, from its description.</summary>
internal static class L2NetLayers
{
    /// <summary>Multiply-adds of one patch's forward pass.</summary>
    public static long MultiplyAdds { get; } = Of(1).Sum(layer => layer.MultiplyAdds);

    /// <summary>The convolutions of a batch.</summary>
    public static Conv2dGeometry[] Of(int patches) =>
    [
        .. ShapedNetwork.Of(NetworkFile.Find("hardnet")).Towers[0].Layers
            .Where(layer => layer.Layer is Convolution).Select(layer => ((Convolution)layer.Layer).Geometry(layer.Input, patches)),
    ];

    /// <summary>A model of one tower as the devices' plans take it.</summary>
    public static FoldedNetwork Folded(ModelFile model) => TowerRunner.Convolutions(ShapedNetwork.Of(model.Network), model.Weights, 0)
        ?? throw new ArgumentException($"the network {model.Network.Name} is no plain chain of convolutions");

    /// <summary>What reports call a layer: its number, from 1, and its sizes.</summary>
    public static string Name(int layer)
    {
        Conv2dGeometry g = Of(1)[layer];
        string stride = g.Stride > 1 ? $" /{g.Stride}" : string.Empty;
        return $"layer {layer + 1}, {g.KernelHeight}x{g.KernelWidth} {g.InChannels}-{g.OutChannels}{stride} on {g.Height}x{g.Width}";
    }
}
