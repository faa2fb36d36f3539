using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Imaging.Description;

/// <summary>Describes a patch by its first pixels, coarsely: so that answers are wrong at times and many distances equal.</summary>
internal sealed class FewPixels(int pixels, int coarseness) : IPatchDescriber
{
    public string Name => $"{pixels} pixels by {coarseness}";

    public int Dimension => pixels;

    public bool IsBinary => false;

    public int PatchSide => 65;

    public double PatchScale => 6;

    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => DescriptorSet.FromValues(
        [.. patches.ToArray().Chunk(side * side).SelectMany(patch => patch.Take(pixels).Select(value => (float)(value / coarseness)))], pixels);
}

/// <summary>The first 16 pixels, each a bit: bright or dark.</summary>
internal sealed class FewBits : IPatchDescriber
{
    public string Name => "16 bits";

    public int Dimension => 16;

    public bool IsBinary => true;

    public int PatchSide => 65;

    public double PatchScale => 6;

    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side)
    {
        byte[] bits = [.. patches.ToArray().Chunk(side * side).SelectMany(patch => patch.Take(16).Chunk(8)
            .Select(eight => (byte)eight.Select((value, k) => value > 127 ? 1 << k : 0).Sum()))];
        return DescriptorSet.FromBits(bits, 16);
    }
}

/// <summary>Always the same.</summary>
internal sealed class Constant : IPatchDescriber
{
    public string Name => "constant";

    public int Dimension => 8;

    public bool IsBinary => true;

    public int PatchSide => 32;

    public double PatchScale => 6;

    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => DescriptorSet.FromBits(new byte[patches.Length / (side * side)], 8);
}

/// <summary>Scores pairs by the negative distance of another method's descriptors.</summary>
internal sealed class ScoreOf(IPatchDescriber method) : IPairScorer
{
    public string Name => "score";

    public float[] Score(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, int side)
    {
        DescriptorSet a = method.Describe(first, side), b = method.Describe(second, side);
        return [.. Enumerable.Range(0, a.Count).Select(i => -a.Distance(i, b, i))];
    }
}
