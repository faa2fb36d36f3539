using CudaL2Net.Evaluation;
using CudaL2Net.Imaging.Keypoints;

namespace CudaL2Net.Imaging.Sequences;

/// <summary>
/// Which keypoints of two pictures show the same place: the reprojection error in the second picture is at most 3 pixels, and the sizes, seen through the
/// homography, differ by a factor of at most 1.5. Orientations do not count.
/// </summary>
internal sealed class Correspondences
{
    public const double LargestError = 3, LargestScaleRatio = 1.5;

    private readonly int[][] partners;

    public Correspondences(Keypoint[] first, Keypoint[] second, Homography homography)
    {
        partners = new int[first.Length][];
        Parallel.For(0, first.Length, i => partners[i] = Partners(first[i], second, homography));
        Positives = partners.Count(found => found.Length > 0);
    }

    /// <summary>Keypoints of the first picture that have a partner.</summary>
    public int Positives { get; }

    /// <summary>The keypoints of the second picture that correspond to keypoint <paramref name="index"/> of the first, nearest place first.</summary>
    public ReadOnlySpan<int> this[int index] => partners[index];

    /// <summary>Whether two keypoints correspond.</summary>
    public bool Contains(int first, int second) => Array.IndexOf(partners[first], second) >= 0;

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
