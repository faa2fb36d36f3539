using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Native;

/// <summary>The table's functions that describe and score patches.</summary>
internal static unsafe class DescribeCalls
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Describe(nint model, PatchArray* patches, float* descriptors, long capacity) => Guard.Run(() =>
    {
        (PatchModel network, PatchMemory memory) = Begin(model, patches);
        RequireDescriptors(network);
        Argument.Buffer(descriptors, capacity, memory.Count * network.Dimension, sizeof(float), "the memory for descriptors");
        Floats(network, memory, descriptors);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeBits(nint model, PatchArray* patches, byte* bits, long capacity) => Guard.Run(() =>
    {
        (PatchModel network, PatchMemory memory) = Begin(model, patches);
        RequireDescriptors(network);
        Argument.Buffer(bits, capacity, memory.Count * (network.Dimension / 8), 1, "the memory for bits");
        Bits(network, memory, bits);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeOnDevice(nint model, PatchArray* patches, int type, void* descriptors, long capacity) => Guard.Run(() =>
    {
        (PatchModel network, PatchMemory memory) = Begin(model, patches);
        RequireDescriptors(network);
        bool bits = Argument.IsBits(type);
        long needed = memory.Count * (bits ? network.Dimension / 8 : network.Dimension);
        Argument.Buffer(descriptors, capacity, needed, bits ? 1 : sizeof(float), "the memory for descriptors");
        OnDevice(Handles.Get<ModelEntry>(model), memory, bits, (nint)descriptors);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Score(nint model, PatchArray* first, PatchArray* second, float* scores, long capacity) => Guard.Run(() =>
    {
        (PatchModel network, PatchMemory left) = Begin(model, first);
        (_, PatchMemory right) = Begin(model, second);
        int side = left.Layout.Side, area = side * side;
        if (left.Count != right.Count || side != right.Layout.Side)
        {
            throw new ArgumentException(
                $"{left.Count} first patches of side {side} and {right.Count} second ones of side {right.Layout.Side} make no pairs");
        }

        Argument.Buffer(scores, capacity, left.Count, sizeof(float), "the memory for scores");

        // The blocks of both sides may differ, so that the second ones are gathered for each block of the first.
        PatchBlocks.For(left, (block, start, count) =>
        {
            byte[] others = new byte[count * area];
            PatchBlocks.For(right.Part(start, count), (other, at, number) => other.CopyTo(others.AsSpan((int)at * area, number * area)));
            network.Score(block, others, side).CopyTo(new Span<float>(scores + start, count));
        });
        if (left.Count == 0)
        {
            network.Score([], [], side);
        }
    });

    /// <summary>[n][dimension] floats of patches that were checked.</summary>
    public static void Floats(PatchModel network, PatchMemory patches, float* descriptors)
    {
        int dimension = network.Dimension;
        PatchBlocks.For(patches, (block, first, count) => network.Describe(
            block, patches.Layout.Side, new Span<float>(descriptors + (first * dimension), count * dimension)));
    }

    /// <summary>[n][dimension / 8] bytes of patches that were checked.</summary>
    public static void Bits(PatchModel network, PatchMemory patches, byte* bits)
    {
        int width = network.Dimension / 8;
        PatchBlocks.For(patches, (block, first, count) => network.DescribeBinary(block, patches.Layout.Side)
            .CopyTo(new Span<byte>(bits + (first * width), count * width)));
    }

    /// <summary>Queues the description of patches in the memory of the model's device, into memory there.</summary>
    public static void OnDevice(ModelEntry model, PatchMemory patches, bool bits, nint descriptors)
    {
        PatchModel network = model.Model;
        int count = (int)patches.Count;
        if (count == 0)
        {
            return;
        }

        if (bits)
        {
            using Tensor<byte> signs = model.Home.Device.Wrap<byte>(descriptors, count, network.Dimension / 8);
            network.DescribeBinary((nint)patches.Data, count, patches.Layout, signs);
        }
        else
        {
            using Tensor<float> values = model.Home.Device.Wrap<float>(descriptors, count, network.Dimension);
            network.Describe((nint)patches.Data, count, patches.Layout, values);
        }
    }

    /// <summary>Checks all that can be told without the pixels.</summary>
    /// <exception cref="ArgumentException">Something is wrong; the text says what.</exception>
    public static void Check(PatchModel network, PatchMemory patches)
    {
        Argument.Count(patches.Count, "the number of patches");
        network.RequireSide(patches.Layout.Side);
        if (patches.Count > 0)
        {
            Argument.Output(patches.Data, "the memory of the patches");
        }

        patches.Layout.Require(patches.Count > 0 ? (nint)patches.Data : 0);
    }

    /// <summary>Refuses networks that score pairs.</summary>
    /// <exception cref="InvalidOperationException">This is one.</exception>
    public static void RequireDescriptors(PatchModel network)
    {
        if (network.ScoresPairs)
        {
            throw new InvalidOperationException($"the network {network.Network.Name} scores pairs of patches and has no descriptors: use score");
        }
    }

    private static (PatchModel Network, PatchMemory Patches) Begin(nint model, PatchArray* patches)
    {
        PatchModel network = Handles.Get<ModelEntry>(model).Model;
        Argument.Output(patches, "patches");
        PatchMemory memory = patches->Memory();
        Check(network, memory);
        return (network, memory);
    }
}
