using OpenCvSharp;

namespace CudaL2Net.Imaging.Matching;

/// <summary>
/// Which matches agree with one geometry, by OpenCV's USAC (MAGSAC++; Barath et al., CVPR 2020). A homography is taken where it explains nearly all that a
/// fundamental matrix explains, 80% or more, since a fundamental matrix, which binds a point to a line only, always gathers some false matches on top.
/// </summary>
internal static class GeometricVerification
{
    private const double NearlyAll = 0.8, Confidence = 0.9999;
    private const int Iterations = 10000;

    /// <summary>Verifies matches.</summary>
    /// <param name="from">[n]: points of the first image.</param>
    /// <param name="to">[n]: their matches in the second one.</param>
    /// <param name="tolerance">Pixels.</param>
    public static (MatchGeometry Geometry, double[]? Matrix, bool[] Verified) Verify(Point2d[] from, Point2d[] to, double tolerance)
    {
        (double[]? homography, bool[] mapped) = FitHomography(from, to, tolerance);
        (double[]? fundamental, bool[] onLines) = FitFundamental(from, to, tolerance);
        int homographySupport = Support(mapped, to), fundamentalSupport = Support(onLines, to);

        // Chance alone gives a homography its 4 points and few more, a fundamental matrix its 7 points and those that happen to lie on their line.
        if (homography is not null && homographySupport >= 10 && homographySupport >= NearlyAll * fundamentalSupport)
        {
            return (MatchGeometry.Homography, homography, mapped);
        }

        if (fundamental is not null && fundamentalSupport >= Math.Max(20, 0.15 * from.Length))
        {
            return (MatchGeometry.Fundamental, fundamental, onLines);
        }

        return homography is not null && homographySupport >= 10
            ? (MatchGeometry.Homography, homography, mapped)
            : (MatchGeometry.None, null, new bool[from.Length]);
    }

    /// <summary>The homography that most matches agree with.</summary>
    /// <returns>[3][3], from the first image's pixels to the second's, or null; and which matches lie within the tolerance of it.</returns>
    internal static (double[]? Matrix, bool[] Inliers) FitHomography(Point2d[] from, Point2d[] to, double tolerance)
    {
        var inliers = new bool[from.Length];
        if (from.Length < 4)
        {
            return (null, inliers);
        }

        using Mat found = Cv2.FindHomography(from, to, HomographyMethods.USAC_MAGSAC, tolerance, null, Iterations, Confidence);
        if (found.Rows != 3 || found.Cols != 3 || !found.GetArray(out double[] h))
        {
            return (null, inliers);
        }

        for (int i = 0; i < from.Length; i++)
        {
            double w = (h[6] * from[i].X) + (h[7] * from[i].Y) + h[8];
            double dx = (((h[0] * from[i].X) + (h[1] * from[i].Y) + h[2]) / w) - to[i].X, dy = (((h[3] * from[i].X) + (h[4] * from[i].Y) + h[5]) / w) - to[i].Y;
            inliers[i] = (dx * dx) + (dy * dy) <= tolerance * tolerance;
        }

        return (h, inliers);
    }

    /// <summary>The fundamental matrix that most matches agree with.</summary>
    /// <returns>[3][3], F with (x', y', 1) F (x, y, 1)' = 0, or null; and which matches lie within the tolerance of both epipolar lines.</returns>
    internal static (double[]? Matrix, bool[] Inliers) FitFundamental(Point2d[] from, Point2d[] to, double tolerance)
    {
        var inliers = new bool[from.Length];
        if (from.Length < 8)
        {
            return (null, inliers);
        }

        using Mat found = Cv2.FindFundamentalMat(from, to, (FundamentalMatMethods)HomographyMethods.USAC_MAGSAC, tolerance, Confidence);
        if (found.Rows != 3 || found.Cols != 3 || !found.GetArray(out double[] f))
        {
            return (null, inliers);
        }

        for (int i = 0; i < from.Length; i++)
        {
            (double x, double y) = (from[i].X, from[i].Y);
            double a = (f[0] * x) + (f[1] * y) + f[2], b = (f[3] * x) + (f[4] * y) + f[5], c = (f[6] * x) + (f[7] * y) + f[8];
            double backA = (f[0] * to[i].X) + (f[3] * to[i].Y) + f[6], backB = (f[1] * to[i].X) + (f[4] * to[i].Y) + f[7];
            double product = Math.Abs((a * to[i].X) + (b * to[i].Y) + c);
            inliers[i] = product <= tolerance * Math.Sqrt(Math.Min((a * a) + (b * b), (backA * backA) + (backB * backB)));
        }

        return (f, inliers);
    }

    // Many matches may lead to one point, and a map that shrinks all to that point would gather them; so the points reached are counted.
    private static int Support(bool[] inliers, Point2d[] to) => to.Where((_, i) => inliers[i]).Distinct().Count();
}
