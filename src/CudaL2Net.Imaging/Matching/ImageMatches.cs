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

/// <summary>Options of matching two images.</summary>
/// <param name="KeypointLimit">The most keypoints taken from an image.</param>
/// <param name="Match">Mutual and ratio test.</param>
/// <param name="Tolerance">The largest error of a verified match in pixels: from the mapped point, or from the epipolar lines of both images.</param>
/// <param name="MaxSide">The most pixels of the longer side of the image in which keypoints are searched; null for the image as it is.</param>
public sealed record ImageMatchOptions(int KeypointLimit, MatchOptions Match, double Tolerance = 3, int? MaxSide = null)
{
    /// <summary>2,000 keypoints, mutual nearest neighbours, ratio 0.9, 3 pixels.</summary>
    public static ImageMatchOptions Default { get; } = new(2000, new MatchOptions(true, 0.9));
}
