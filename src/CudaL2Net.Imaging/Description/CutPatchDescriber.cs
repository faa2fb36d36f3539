using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>Describes keypoints by the patches that are cut around them.</summary>
/// <param name="patches">The descriptor of patches, which also says how large they are.</param>
/// <param name="threads">The most threads that cut patches at once; 0 is one per core.</param>
public sealed class CutPatchDescriber(IPatchDescriber patches, int threads = 0) : IKeypointDescriber
{
    /// <summary>The usual side of a patch around a keypoint, in its diameters: 12 sigma, as SIFT looks at.</summary>
    public const double UsualPatchScale = 6;

    /// <inheritdoc/>
    public string Name => patches.Name;

    /// <inheritdoc/>
    public int Dimension => patches.Dimension;

    /// <summary>A method for keypoints: itself where it describes them in the image, as SIFT does, else from patches cut around them.</summary>
    /// <param name="method">The method.</param>
    /// <param name="threads">The most threads that cut patches at once; 0 is one per core.</param>
    public static IKeypointDescriber For(IPatchDescriber method, int threads = 0) =>
        (method as RecordingDescriber)?.ForKeypoints(threads) ?? method as IKeypointDescriber ?? new CutPatchDescriber(method, threads);

    /// <inheritdoc/>
    public DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
    {
        ArgumentNullException.ThrowIfNull(keypoints);
        var descriptors = new DescriptorSetBuilder(keypoints.Length, Dimension, patches.IsBinary);
        foreach (byte[] block in PatchCutter.CutBlocks(grey, keypoints, patches.PatchScale, patches.PatchSide, threads))
        {
            descriptors.Add(patches.Describe(block, patches.PatchSide));
        }

        return descriptors.Build();
    }
}
