using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using CudaL2Net.Models;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>A network's descriptors of patches cut around the keypoints, at the patch scale that the model was trained with.</summary>
/// <param name="name">The name in tables and plots.</param>
/// <param name="model">The network; the caller keeps and disposes of it.</param>
/// <param name="binary">Whether to take the signs of the values, compared by Hamming distance.</param>
public sealed class ModelDescriber(string name, L2Net model, bool binary = false) : IKeypointDescriber
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public int Dimension => model.Dimension;

    /// <inheritdoc/>
    public DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
    {
        byte[] patches = PatchCutter.Cut(grey, keypoints, model.PatchScale, model.PatchSide);
        return binary
            ? DescriptorSet.FromBits(model.DescribeBinary(patches, model.PatchSide), Dimension)
            : DescriptorSet.FromValues(model.Describe(patches, model.PatchSide), Dimension);
    }
}
