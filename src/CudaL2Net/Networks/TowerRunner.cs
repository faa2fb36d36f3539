using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Networks;

/// <summary>One tower of a network that describes patches: on the device's own plan where it has one for the tower's layers, else on tapes.</summary>
internal sealed class TowerRunner : IDisposable
{
    private const int SignBlock = 512, TapeBlock = 1024;

    private readonly INetworkPlan? plan;
    private readonly TapePlan? tape;

    public TowerRunner(Device device, ShapedNetwork network, NetworkWeights weights, int tower)
    {
        View = network.Network.Towers[tower].View;
        Width = (int)network.Towers[tower].Output.Length;
        FirstValue = (int)network.Towers.Take(tower).Sum(before => before.Output.Length);
        FoldedNetwork? convolutions = Convolutions(network, weights, tower);
        plan = convolutions == null ? null : device.Kernels.Plan(convolutions);
        tape = convolutions != null ? null : new TapePlan(device, network, weights, tower);
    }

    /// <summary>What the tower sees.</summary>
    public PatchView View { get; }

    /// <summary>Values that it gives.</summary>
    public int Width { get; }

    /// <summary>Patches that are best described at once.</summary>
    public int Block => plan?.Block ?? TapeBlock;

    /// <summary>Where they stand in the descriptor.</summary>
    public int FirstValue { get; }

    /// <summary>The tower in the form that the devices have plans for; null where it has another.</summary>
    public static FoldedNetwork? Convolutions(ShapedNetwork network, NetworkWeights weights, int tower) =>
        FoldedTower.Of(network.Towers[tower], weights.Towers[tower].Layers).ToConvolutions(network.Network.Input, weights.Towers[tower].MeanImage);

    /// <summary>Describes patches.</summary>
    /// <param name="patches">The tower's view of them, [n][side][side].</param>
    /// <param name="count">n.</param>
    /// <param name="output">Row i at i x <paramref name="stride"/>.</param>
    /// <param name="stride">From one row to the next.</param>
    public void Describe(ReadOnlySpan<byte> patches, int count, Span<float> output, int stride)
    {
        if (plan != null)
        {
            plan.Describe(patches, output, stride);
            return;
        }

        tape!.Describe(patches, count, output, stride);
    }

    /// <summary>Describes patches by the signs of their values, packed.</summary>
    public void DescribeSigns(ReadOnlySpan<byte> patches, int count, Span<byte> signs, int stride)
    {
        if (plan != null)
        {
            plan.DescribeSigns(patches, signs, stride);
            return;
        }

        int area = count == 0 ? 0 : patches.Length / count;
        var values = new float[Math.Min(count, SignBlock) * Width];
        for (int first = 0; first < count; first += SignBlock)
        {
            int block = Math.Min(SignBlock, count - first);
            tape!.Describe(patches.Slice(first * area, block * area), block, values, Width);
            for (int row = 0; row < block; row++)
            {
                SignBits.Pack(values.AsSpan(row * Width, Width), signs.Slice((first + row) * stride, Width / 8));
            }
        }
    }

    /// <summary>Describes patches that are on the device; queued.</summary>
    /// <param name="patches">The tower's view of them, [n][side][side].</param>
    /// <param name="output">[n][<see cref="Width"/>].</param>
    public void DescribeOnDevice(Tensor<byte> patches, Tensor<float> output)
    {
        if (plan != null)
        {
            plan.DescribeOnDevice(patches, output);
            return;
        }

        tape!.DescribeOnDevice(patches, output);
    }

    /// <summary>Describes patches that are on the device by the signs of their values; queued. False where the tower has no plan for it.</summary>
    public bool TryDescribeSignsOnDevice(Tensor<byte> patches, Tensor<byte> signs)
    {
        plan?.DescribeSignsOnDevice(patches, signs);
        return plan != null;
    }

    public void Dispose()
    {
        plan?.Dispose();
        tape?.Dispose();
    }
}
