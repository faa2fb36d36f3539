using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>Describes keypoints by the patches that are cut around them.</summary>
/// <param name="patches">The descriptor of patches, which also says how large they are.</param>
public sealed class CutPatchDescriber(IPatchDescriber patches) : IKeypointDescriber
{
    /// <summary>The usual side of a patch around a keypoint, in its diameters: 12 sigma, as SIFT looks at.</summary>
    public const double UsualPatchScale = 6;

    /// <inheritdoc/>
    public string Name => patches.Name;

    /// <inheritdoc/>
    public int Dimension => patches.Dimension;

    /// <summary>A method for keypoints: itself where it describes them in the picture, as SIFT does, else from patches cut around them.</summary>
    public static IKeypointDescriber For(IPatchDescriber method) =>
        (method as RecordingDescriber)?.ForKeypoints() ?? method as IKeypointDescriber ?? new CutPatchDescriber(method);

    /// <inheritdoc/>
    public DescriptorSet Describe(Mat grey, Keypoint[] keypoints) =>
        patches.Describe(PatchCutter.Cut(grey, keypoints, patches.PatchScale, patches.PatchSide), patches.PatchSide);
}
