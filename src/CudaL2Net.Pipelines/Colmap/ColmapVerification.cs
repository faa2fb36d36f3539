using CudaL2Net.Imaging.Matching;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>Which matches of a pair agree with one geometry, as COLMAP's mapper takes it.</summary>
internal static class ColmapVerification
{
    // A pair of fewer verified matches is no pair to COLMAP's mapper either.
    private const int LeastInliers = 15;
    private const double LeastPart = 0.15, NearlyAll = 0.8;

    /// <summary>Verifies the matches of a pair.</summary>
    /// <param name="first">Keypoints of the image with the smaller number.</param>
    /// <param name="second">Keypoints of the other one.</param>
    /// <param name="matches">[n][2]: keypoints of the first, and of the second.</param>
    /// <param name="tolerance">The largest error of a verified match in pixels.</param>
    public static ColmapGeometry Verify(Point2d[] first, Point2d[] second, uint[] matches, double tolerance)
    {
        Point2d[] from = [.. Enumerable.Range(0, matches.Length / 2).Select(i => first[matches[2 * i]])];
        Point2d[] to = [.. Enumerable.Range(0, matches.Length / 2).Select(i => second[matches[(2 * i) + 1]])];
        (double[]? fundamental, bool[] onLines) = GeometricVerification.FitFundamental(from, to, tolerance);
        (double[]? homography, bool[] mapped) = GeometricVerification.FitHomography(from, to, tolerance);
        int lines = onLines.Count(inlier => inlier), map = mapped.Count(inlier => inlier);
        if (Math.Max(lines, map) < Math.Max(LeastInliers, LeastPart * from.Length))
        {
            return new ColmapGeometry(ColmapConfiguration.Degenerate, [], null, null);
        }

        // As COLMAP: a homography that explains nearly as much is a plane or a turned camera, which the mapper does not start with.
        ColmapConfiguration configuration = map > NearlyAll * lines ? ColmapConfiguration.PlanarOrPanoramic : ColmapConfiguration.Uncalibrated;
        bool[] inliers = map > lines ? mapped : onLines;
        return new ColmapGeometry(configuration, [.. matches.Where((_, i) => inliers[i / 2])], fundamental, homography);
    }
}
