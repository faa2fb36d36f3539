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
        PatchModel network = Begin(model, patches);
        RequireDescriptors(network);
        Argument.Buffer(descriptors, capacity, patches->Count * network.Dimension, sizeof(float), "the memory for descriptors");
        Floats(network, *patches, descriptors);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeBits(nint model, PatchArray* patches, byte* bits, long capacity) => Guard.Run(() =>
    {
        PatchModel network = Begin(model, patches);
        RequireDescriptors(network);
        Argument.Buffer(bits, capacity, patches->Count * (network.Dimension / 8), 1, "the memory for bits");
        Bits(network, *patches, bits);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeOnDevice(nint model, PatchArray* patches, int type, void* descriptors, long capacity) => Guard.Run(() =>
    {
        PatchModel network = Begin(model, patches);
        RequireDescriptors(network);
        bool bits = Argument.IsBits(type);
        long needed = patches->Count * (bits ? network.Dimension / 8 : network.Dimension);
        Argument.Buffer(descriptors, capacity, needed, bits ? 1 : sizeof(float), "the memory for descriptors");
        OnDevice(Handles.Get<ModelEntry>(model), *patches, bits, (nint)descriptors);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Score(nint model, PatchArray* first, PatchArray* second, float* scores, long capacity) => Guard.Run(() =>
    {
        PatchModel network = Begin(model, first);
        Begin(model, second);
        if (first->Count != second->Count || first->Side != second->Side)
        {
            throw new ArgumentException(
                $"{first->Count} first patches of side {first->Side} and {second->Count} second ones of side {second->Side} make no pairs");
        }

        Argument.Buffer(scores, capacity, first->Count, sizeof(float), "the memory for scores");
        int area = first->Side * first->Side;

        // The blocks of both sides may differ, so that the second ones are gathered for each block of the first.
        PatchBlocks.For(*first, (block, start, count) =>
        {
            byte[] others = new byte[count * area];
            PatchArray part = *second;
            part.Data = (byte*)part.Data + (start * part.Strides().Patch);
            part.Count = count;
            PatchBlocks.For(part, (other, at, number) => other.CopyTo(others.AsSpan((int)at * area, number * area)));
            network.Score(block, others, first->Side).CopyTo(new Span<float>(scores + start, count));
        });
        if (first->Count == 0)
        {
            network.Score([], [], first->Side);
        }
    });

    /// <summary>[n][dimension] floats of patches that were checked.</summary>
    public static void Floats(PatchModel network, in PatchArray patches, float* descriptors)
    {
        int side = patches.Side, dimension = network.Dimension;
        PatchBlocks.For(patches, (block, first, count) => network.Describe(
            block, side, new Span<float>(descriptors + (first * dimension), count * dimension)));
    }

    /// <summary>[n][dimension / 8] bytes of patches that were checked.</summary>
    public static void Bits(PatchModel network, in PatchArray patches, byte* bits)
    {
        int side = patches.Side, width = network.Dimension / 8;
        PatchBlocks.For(patches, (block, first, count) => network.DescribeBinary(block, side)
            .CopyTo(new Span<byte>(bits + (first * width), count * width)));
    }

    /// <summary>Queues the description of patches in the memory of the model's device, into memory there.</summary>
    public static void OnDevice(ModelEntry model, in PatchArray patches, bool bits, nint descriptors)
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
            network.DescribeBinary((nint)patches.Data, count, patches.Layout(), signs);
        }
        else
        {
            using Tensor<float> values = model.Home.Device.Wrap<float>(descriptors, count, network.Dimension);
            network.Describe((nint)patches.Data, count, patches.Layout(), values);
        }
    }

    /// <summary>Checks patches against the network that takes them.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    public static void Check(PatchModel network, in PatchArray patches)
    {
        PatchBlocks.Check(patches);
        if (patches.Side < network.PatchSide)
        {
            throw new ArgumentException($"patches of {patches.Side} x {patches.Side} pixels: the network {network.Network.Name} takes "
                + $"{network.PatchSide} x {network.PatchSide} or 65 x 65");
        }
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

    private static PatchModel Begin(nint model, PatchArray* patches)
    {
        PatchModel network = Handles.Get<ModelEntry>(model).Model;
        Argument.Output(patches, "patches");
        Check(network, *patches);
        return network;
    }
}
