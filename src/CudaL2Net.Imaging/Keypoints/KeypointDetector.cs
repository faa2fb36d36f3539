using OpenCvSharp;
using OpenCvSharp.Features2D;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>Finds SIFT keypoints (Lowe, IJCV 2004) with OpenCV's detector and its default settings.</summary>
public static class KeypointDetector
{
    private const int SmallestSide = 8;

    /// <summary>Finds the strongest keypoints of an image. A place with two orientations gives two keypoints.</summary>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="limit">The most keypoints to return.</param>
    /// <returns>Keypoints by falling response, ties by position, so that the order is always the same; empty where a side is below 8 pixels.</returns>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one, or the limit is below 1.</exception>
    /// <exception cref="InvalidOperationException">OpenCV failed; the message tells how.</exception>
    public static Keypoint[] Detect(Mat grey, int limit = int.MaxValue)
    {
        PatchCutter.CheckGrey(grey);
        if (limit < 1)
        {
            throw new ArgumentException($"the limit of keypoints must be at least 1, not {limit}", nameof(limit));
        }

        if (Math.Min(grey.Width, grey.Height) < SmallestSide)
        {
            return [];
        }

        KeyPoint[] found;
        try
        {
            using SIFT sift = SIFT.Create();
            found = sift.Detect(grey);
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidOperationException(
                $"OpenCV could not detect keypoints in an image of {grey.Width} x {grey.Height}: {exception.Message}", exception);
        }

        Keypoint[] keypoints = Array.ConvertAll(found, k => new Keypoint(k.Pt.X, k.Pt.Y, k.Size, k.Angle, k.Response, (sbyte)(k.Octave & 255)));
        Array.Sort(keypoints, Compare);
        return keypoints.Length > limit ? keypoints[..limit] : keypoints;
    }

    private static int Compare(Keypoint a, Keypoint b)
    {
        int order = b.Response.CompareTo(a.Response);
        order = order != 0 ? order : a.Y.CompareTo(b.Y);
        order = order != 0 ? order : a.X.CompareTo(b.X);
        order = order != 0 ? order : a.Size.CompareTo(b.Size);
        return order != 0 ? order : a.Angle.CompareTo(b.Angle);
    }
}
