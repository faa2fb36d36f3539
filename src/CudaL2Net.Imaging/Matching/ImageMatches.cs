using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;

namespace CudaL2Net.Imaging.Matching;

/// <summary>The geometry that verified matches agree with.</summary>
public enum MatchGeometry
{
    /// <summary>No geometry has enough support; nothing is verified.</summary>
    None,

    /// <summary>One homography: a plane, or a camera that only turned.</summary>
    Homography,

    /// <summary>A fundamental matrix: two views of a scene with depth.</summary>
    Fundamental,
}

/// <summary>The matches of two images.</summary>
/// <param name="FirstKeypoints">Keypoints of the first image.</param>
/// <param name="SecondKeypoints">Keypoints of the second image.</param>
/// <param name="Matches">Matches by rising keypoint of the first image: <see cref="DescriptorMatch.Query"/> is of the first, Target of the second.</param>
/// <param name="Verified">For each match, whether it agrees with the geometry.</param>
/// <param name="Geometry">The kind of geometry.</param>
/// <param name="Matrix">
/// [3][3], or null without a geometry: the homography from the first image's pixels to the second's, or F with (x', y', 1) F (x, y, 1)' = 0.
/// </param>
public sealed record ImageMatches(
    Keypoint[] FirstKeypoints, Keypoint[] SecondKeypoints, DescriptorMatch[] Matches, bool[] Verified, MatchGeometry Geometry, double[]? Matrix)
{
    /// <summary>Matches that agree with the geometry.</summary>
    public int VerifiedCount => Verified.Count(verified => verified);
}
