using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// Which keypoints of two images show the same place: the reprojection error in the second image is at most 3 pixels, and the sizes, seen through the
/// homography, differ by a factor of at most 1.5. Orientations do not count.
/// </summary>
internal sealed class Correspondences
{
    public const double LargestError = 3, LargestScaleRatio = 1.5, LargestTurn = 30;

    private readonly int[][] partners;
    private readonly int[] alignedPartner;

    public Correspondences(Keypoint[] first, Keypoint[] second, Homography homography, int threads = 0)
    {
        partners = new int[first.Length][];
        alignedPartner = new int[first.Length];
        new Parallelism(threads).For(first.Length, i =>
        {
            partners[i] = Partners(first[i], second, homography);
            double angle = MappedAngle(first[i], homography);
            int aligned = Array.FindIndex(partners[i], j => Math.Abs(Math.IEEERemainder(second[j].Angle - angle, 360)) <= LargestTurn);
            alignedPartner[i] = aligned < 0 ? -1 : partners[i][aligned];
        });
        Positives = partners.Count(found => found.Length > 0);
    }

    /// <summary>Keypoints of the first image that have a partner.</summary>
    public int Positives { get; }

    /// <summary>The keypoints of the second image that correspond to keypoint <paramref name="index"/> of the first, nearest place first.</summary>
    public ReadOnlySpan<int> this[int index] => partners[index];

    /// <summary>Whether two keypoints correspond.</summary>
    public bool Contains(int first, int second) => Array.IndexOf(partners[first], second) >= 0;

    /// <summary>The nearest partner whose orientation, seen through the homography, agrees within 30 degrees; -1 if there is none.</summary>
    public int AlignedPartner(int index) => alignedPartner[index];

    // A keypoint's orientation is that of a grey level's gradient, which turns as a covector: by the inverse transpose of the derivative.
    private static double MappedAngle(Keypoint keypoint, Homography homography)
    {
        (double xx, double xy, double yx, double yy) = homography.Jacobian(keypoint.X, keypoint.Y);
        double sign = Math.Sign((xx * yy) - (xy * yx)), radians = keypoint.Angle * (Math.PI / 180), x = Math.Cos(radians), y = Math.Sin(radians);
        return Math.Atan2(sign * ((xx * y) - (xy * x)), sign * ((yy * x) - (yx * y))) * (180 / Math.PI);
    }

    private static int[] Partners(Keypoint keypoint, Keypoint[] candidates, Homography homography)
    {
        (double x, double y) = homography.Map(keypoint.X, keypoint.Y);
        double size = keypoint.Size * homography.Scale(keypoint.X, keypoint.Y);
        var found = new List<(double Error, int Index)>();
        for (int j = 0; j < candidates.Length; j++)
        {
            double dx = candidates[j].X - x, dy = candidates[j].Y - y, error = (dx * dx) + (dy * dy);
            double ratio = candidates[j].Size / size;
            if (error <= LargestError * LargestError && ratio <= LargestScaleRatio && ratio * LargestScaleRatio >= 1)
            {
                found.Add((error, j));
            }
        }

        found.Sort();
        return [.. found.Select(candidate => candidate.Index)];
    }
}
