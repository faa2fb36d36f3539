using CudaL2Net.Imaging.Files;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>Finds SIFT keypoints (Lowe, IJCV 2004) with OpenCV's detector and its default settings.</summary>
public static class KeypointDetector
{
    private const int SmallestSide = 8;

    /// <summary>
    /// Finds the strongest keypoints of an image. A place with two orientations gives two keypoints. Transparent pixels of an image from <see cref="ImageFile"/>
    /// give none.
    /// </summary>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="limit">The most keypoints to return.</param>
    /// <param name="maxSide">The most pixels of the longer side of the image in which is searched: a larger one is reduced for it, which saves time and loses small
    /// keypoints. Null for the image as it is.</param>
    /// <returns>In the pixels of <paramref name="grey"/>: keypoints by falling response, ties by position, so that the order is always the same; empty where a side is below 8 pixels.</returns>
    /// <remarks>Above 2048 x 2048 pixels the image is searched in tiles, so that memory does not grow with it; keypoints of more than about 14 pixels are then those of the
    /// image reduced to a quarter.</remarks>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one, or a limit is below 1.</exception>
    /// <exception cref="InvalidOperationException">OpenCV failed; the message tells how.</exception>
    public static Keypoint[] Detect(Mat grey, int limit = int.MaxValue, int? maxSide = null)
    {
        PatchCutter.CheckGrey(grey);
        if (limit < 1)
        {
            throw new ArgumentException($"the limit of keypoints must be at least 1, not {limit}", nameof(limit));
        }

        if (maxSide < 1)
        {
            throw new ArgumentException($"the longer side of an image must have at least 1 pixel, not {maxSide}", nameof(maxSide));
        }

        using var searched = new ReducedImage(grey, maxSide);
        if (IsTooSmall(searched.Grey))
        {
            return [];
        }

        Keypoint[] keypoints = [.. TiledSift.Detect(searched.Grey, TiledSift.UsualTile).Select(searched.Enlarge)];
        keypoints = CutOutImage.Keep(grey, keypoints, k => (k.X, k.Y), "keypoints");
        Array.Sort(keypoints, Compare);
        return keypoints.Length > limit ? keypoints[..limit] : keypoints;
    }

    /// <summary>Whether an image has no scale space to search in.</summary>
    internal static bool IsTooSmall(Mat grey) => Math.Min(grey.Width, grey.Height) < SmallestSide;

    private static int Compare(Keypoint a, Keypoint b)
    {
        int order = b.Response.CompareTo(a.Response);
        order = order != 0 ? order : a.Y.CompareTo(b.Y);
        order = order != 0 ? order : a.X.CompareTo(b.X);
        order = order != 0 ? order : a.Size.CompareTo(b.Size);
        return order != 0 ? order : a.Angle.CompareTo(b.Angle);
    }
}
