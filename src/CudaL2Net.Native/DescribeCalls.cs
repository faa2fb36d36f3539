using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
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
        int dimension = network.Dimension;
        Argument.Buffer(descriptors, capacity, patches->Count * dimension, sizeof(float), "the memory for descriptors");
        PatchBlocks.For(*patches, (block, first, count) => network.Describe(
            block, patches->Side, new Span<float>(descriptors + (first * dimension), count * dimension)));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint DescribeBits(nint model, PatchArray* patches, byte* bits, long capacity) => Guard.Run(() =>
    {
        PatchModel network = Begin(model, patches);
        RequireDescriptors(network);
        int width = network.Dimension / 8;
        Argument.Buffer(bits, capacity, patches->Count * width, 1, "the memory for bits");
        PatchBlocks.For(*patches, (block, first, count) => network.DescribeBinary(block, patches->Side)
            .CopyTo(new Span<byte>(bits + (first * width), count * width)));
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

    private static PatchModel Begin(nint model, PatchArray* patches)
    {
        PatchModel network = Handles.Get<ModelEntry>(model).Model;
        Argument.Output(patches, "patches");
        PatchBlocks.Check(*patches);
        return patches->Side >= network.PatchSide ? network : throw new ArgumentException(
            $"patches of {patches->Side} x {patches->Side} pixels: the network {network.Network.Name} takes {network.PatchSide} x {network.PatchSide} "
                + "or 65 x 65");
    }

    private static void RequireDescriptors(PatchModel network)
    {
        if (network.ScoresPairs)
        {
            throw new InvalidOperationException($"the network {network.Network.Name} scores pairs of patches and has no descriptors: use score");
        }
    }
}
