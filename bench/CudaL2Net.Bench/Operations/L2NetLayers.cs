using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Bench.Operations;

/// <summary>The network's convolutions.</summary>
internal static class L2NetLayers
{
    /// <summary>Multiply-adds of one patch's forward pass.</summary>
    public static long MultiplyAdds { get; } = Of(1).Sum(layer => layer.MultiplyAdds);

    /// <summary>The seven convolutions of a batch.</summary>
    public static Conv2dGeometry[] Of(int patches)
    {
        var layers = new Conv2dGeometry[TowerLayer.All.Count];
        int side = FoldedNetwork.InputSide;
        for (int i = 0; i < layers.Length; i++)
        {
            (int kernel, int inChannels, int outChannels, int stride, int padding) = TowerLayer.All[i];
            layers[i] = new Conv2dGeometry(patches, side, side, inChannels, outChannels, kernel, kernel, stride, padding);
            side = layers[i].OutHeight;
        }

        return layers;
    }

    /// <summary>What reports call a layer: its number, from 1, and its sizes.</summary>
    public static string Name(int layer)
    {
        Conv2dGeometry g = Of(1)[layer];
        string stride = g.Stride > 1 ? $" /{g.Stride}" : string.Empty;
        return $"layer {layer + 1}, {g.KernelHeight}x{g.KernelWidth} {g.InChannels}-{g.OutChannels}{stride} on {g.Height}x{g.Width}";
    }
}
