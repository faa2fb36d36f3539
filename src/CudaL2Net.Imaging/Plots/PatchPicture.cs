using CudaL2Net.Data;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Plots;

/// <summary>Example patches as a picture.</summary>
public static class PatchPicture
{
    private const int Gap = 4, PointGap = 12, Zoom = 2;

    /// <summary>Draws a column for each of some points, spread over the set, with the patches of the point below one another.</summary>
    /// <param name="patches">The set.</param>
    /// <param name="points">The most columns.</param>
    /// <param name="perPoint">The most patches of a point.</param>
    /// <returns>A PNG file's bytes; patches at twice their size.</returns>
    /// <exception cref="ArgumentException">The set is empty or a count is below 1.</exception>
    public static byte[] Draw(PatchSet patches, int points, int perPoint)
    {
        ArgumentNullException.ThrowIfNull(patches);
        ArgumentOutOfRangeException.ThrowIfLessThan(points, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(perPoint, 1);
        int[][] all = [.. Enumerable.Range(0, patches.Count).GroupBy(i => patches.PointIds[i]).Select(group => group.Take(perPoint).ToArray())];
        if (all.Length == 0)
        {
            throw new ArgumentException("there are no patches to draw");
        }

        int columns = Math.Min(points, all.Length), side = PatchSet.Side * Zoom;
        int[][] shown = [.. Enumerable.Range(0, columns).Select(column => all[(int)((long)column * all.Length / columns)])];
        int rows = shown.Max(point => point.Length);
        using var picture = new Mat((rows * (side + Gap)) + (2 * PointGap) - Gap, (columns * (side + PointGap)) + PointGap, MatType.CV_8UC1, new Scalar(32));
        for (int column = 0; column < columns; column++)
        {
            for (int row = 0; row < shown[column].Length; row++)
            {
                using Mat patch = Mat.FromPixelData(PatchSet.Side, PatchSet.Side, MatType.CV_8UC1, patches[shown[column][row]].ToArray());
                using var place = new Mat(picture, new Rect(PointGap + (column * (side + PointGap)), PointGap + (row * (side + Gap)), side, side));
                Cv2.Resize(patch, place, place.Size(), 0, 0, InterpolationFlags.Nearest);
            }
        }

        Cv2.ImEncode(".png", picture, out byte[] png);
        return png;
    }
}
