using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;

namespace CudaL2Net.Cli.Runs;

/// <summary>A method for which patches around keypoints are cut at another scale than its own.</summary>
/// <param name="name">The name in tables and plots.</param>
/// <param name="method">The method; it is disposed of with this one.</param>
/// <param name="patchScale">The side of a patch in the image, in diameters of the keypoint.</param>
internal sealed class ScaledDescriber(string name, IPatchDescriber method, double patchScale) : IPatchDescriber, IDisposable
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public int Dimension => method.Dimension;

    /// <inheritdoc/>
    public bool IsBinary => method.IsBinary;

    /// <inheritdoc/>
    public int PatchSide => method.PatchSide;

    /// <inheritdoc/>
    public double PatchScale => patchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => method.Describe(patches, side);

    /// <summary>Disposes of the method where it has to be.</summary>
    public void Dispose() => (method as IDisposable)?.Dispose();
}
