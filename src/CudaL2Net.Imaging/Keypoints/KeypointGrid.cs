namespace CudaL2Net.Imaging.Keypoints;

/// <summary>Keypoints on a regular grid.</summary>
internal static class KeypointGrid
{
    private const int SmallestStep = 8;

    // At patch scale 6 a patch is four steps wide; at the smallest step its pixels are the image's.
    private const float SizePerStep = 2f / 3;

    /// <summary>Places in the middle of equal squares, row by row, the rest of the image left out evenly on both sides.</summary>
    /// <param name="width">Columns of the image.</param>
    /// <param name="height">Rows.</param>
    /// <param name="limit">The most places; the squares are the smallest, from 8 pixels on, that give no more.</param>
    public static IEnumerable<Keypoint> Places(int width, int height, int limit)
    {
        int step = Math.Max(SmallestStep, (int)Math.Sqrt((double)width * height / limit));
        while ((long)Math.Max(1, width / step) * Math.Max(1, height / step) > limit)
        {
            step++;
        }

        int columns = Math.Max(1, width / step), rows = Math.Max(1, height / step);
        float left = (width - 1 - ((columns - 1) * step)) / 2f, top = (height - 1 - ((rows - 1) * step)) / 2f;
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                yield return new Keypoint(left + (column * step), top + (row * step), step * SizePerStep, 0, 0, 0);
            }
        }
    }
}
