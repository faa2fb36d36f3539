using CudaL2Net.Data;
using CudaL2Net.Evaluation.Results;
using OpenCvSharp;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>Example patches as an image.</summary>
public static class PatchGallery
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
        using var image = new Mat((rows * (side + Gap)) + (2 * PointGap) - Gap, (columns * (side + PointGap)) + PointGap, MatType.CV_8UC1, new Scalar(32));
        for (int column = 0; column < columns; column++)
        {
            for (int row = 0; row < shown[column].Length; row++)
            {
                using Mat patch = Mat.FromPixelData(PatchSet.Side, PatchSet.Side, MatType.CV_8UC1, patches[shown[column][row]].ToArray());
                using var place = new Mat(image, new Rect(PointGap + (column * (side + PointGap)), PointGap + (row * (side + Gap)), side, side));
                Cv2.Resize(patch, place, place.Size(), 0, 0, InterpolationFlags.Nearest);
            }
        }

        Cv2.ImEncode(".png", image, out byte[] png);
        return png;
    }

    /// <summary>Draws pairs of patches in rows, the two of a pair side by side, their distance below.</summary>
    /// <param name="pairs">At least one.</param>
    /// <param name="side">Rows and columns of a patch.</param>
    /// <param name="perRow">Pairs in a row.</param>
    /// <returns>A PNG file's bytes; patches at about 64 pixels.</returns>
    /// <exception cref="ArgumentException">There are no pairs, or a patch has another size.</exception>
    public static byte[] DrawPairs(IReadOnlyList<PairExample> pairs, int side, int perRow = 6)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentOutOfRangeException.ThrowIfLessThan(perRow, 1);
        if (pairs.Count == 0 || pairs.Any(pair => pair.First.Length != side * side || pair.Second.Length != side * side))
        {
            throw new ArgumentException($"a gallery needs pairs of {side} x {side} patches; here are {pairs.Count} pairs");
        }

        const int LabelHeight = 18;
        int shown = side * Math.Max(1, (int)Math.Round(64.0 / side)), columns = Math.Min(perRow, pairs.Count), rows = (pairs.Count + columns - 1) / columns;
        int cellWidth = (2 * shown) + Gap + PointGap, cellHeight = shown + LabelHeight + PointGap;
        using var image = new Mat((rows * cellHeight) + PointGap, (columns * cellWidth) + PointGap, MatType.CV_8UC1, new Scalar(32));
        for (int i = 0; i < pairs.Count; i++)
        {
            int x = PointGap + (i % columns * cellWidth), y = PointGap + (i / columns * cellHeight);
            Place(pairs[i].First, x, y);
            Place(pairs[i].Second, x + shown + Gap, y);
            string label = pairs[i].Distance.ToString("0.###", System.Globalization.CultureInfo.InvariantCulture);
            Cv2.PutText(image, label, new Point(x, y + shown + 14), HersheyFonts.HersheySimplex, 0.42, new Scalar(225), 1, LineTypes.AntiAlias);
        }

        Cv2.ImEncode(".png", image, out byte[] png);
        return png;

        void Place(byte[] pixels, int x, int y)
        {
            using Mat patch = Mat.FromPixelData(side, side, MatType.CV_8UC1, pixels);
            using var place = new Mat(image, new Rect(x, y, shown, shown));
            Cv2.Resize(patch, place, place.Size(), 0, 0, InterpolationFlags.Nearest);
        }
    }
}
