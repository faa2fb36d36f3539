using CudaL2Net.Matching;
using CudaL2Net.Networks;

namespace CudaL2Net.Imaging.Description;

/// <summary>A network's descriptors, or their signs. Around keypoints its patches are cut at the scale that the model was trained with.</summary>
public sealed class ModelDescriber : IPatchDescriber
{
    private readonly PatchModel model;

    /// <summary>Takes a network.</summary>
    /// <param name="name">The name in tables and plots.</param>
    /// <param name="model">The network; the caller keeps and disposes of it.</param>
    /// <param name="binary">Whether to take the signs of the values, compared by Hamming distance.</param>
    /// <param name="patchScale">Side of a patch in the image, in diameters of the keypoint, above 0; null for that of the model.</param>
    /// <exception cref="ArgumentException">The network scores pairs and has no descriptors.</exception>
    public ModelDescriber(string name, PatchModel model, bool binary = false, double? patchScale = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.ScoresPairs)
        {
            throw new ArgumentException($"{name} (network {model.Network.Name}) scores pairs of patches and has no descriptors: take a ModelScorer", nameof(model));
        }

        (Name, this.model, IsBinary, PatchScale) = (name, model, binary, patchScale ?? model.PatchScale);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Dimension => model.Dimension;

    /// <inheritdoc/>
    public bool IsBinary { get; }

    /// <inheritdoc/>
    public int PatchSide => model.PatchSide;

    /// <inheritdoc/>
    public double PatchScale { get; }

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => IsBinary
        ? DescriptorSet.FromBits(model.DescribeBinary(patches, side), Dimension)
        : DescriptorSet.FromValues(model.Describe(patches, side), Dimension);
}
