using CudaL2Net.Matching;
using CudaL2Net.Networks;

namespace CudaL2Net.Imaging.Description;

/// <summary>A network's descriptors, or their signs. Around keypoints its patches are cut at the scale that the model was trained with.</summary>
/// <param name="name">The name in tables and plots.</param>
/// <param name="model">The network; the caller keeps and disposes of it.</param>
/// <param name="binary">Whether to take the signs of the values, compared by Hamming distance.</param>
public sealed class ModelDescriber(string name, PatchModel model, bool binary = false) : IPatchDescriber
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public int Dimension => model.Dimension;

    /// <inheritdoc/>
    public bool IsBinary => binary;

    /// <inheritdoc/>
    public int PatchSide => model.PatchSide;

    /// <inheritdoc/>
    public double PatchScale => model.PatchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => binary
        ? DescriptorSet.FromBits(model.DescribeBinary(patches, side), Dimension)
        : DescriptorSet.FromValues(model.Describe(patches, side), Dimension);
}
