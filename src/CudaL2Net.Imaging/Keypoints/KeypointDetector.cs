using CudaL2Net.Imaging.Files;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>Finds keypoints with OpenCV's detectors.</summary>
public static class KeypointDetector
{
    private const int SmallestSide = 8;

    // Beside SIFT, which searches large images in tiles, detectors hold all their scales of the image at once.
    private const long MostPixels = 1L << 25;

    /// <summary>
    /// Finds the strongest SIFT keypoints of an image (Lowe, IJCV 2004). A place with two orientations gives two keypoints. Transparent pixels of an image from
    /// <see cref="ImageFile"/> give none.
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
    public static Keypoint[] Detect(Mat grey, int limit = int.MaxValue, int? maxSide = null) =>
        Detect(grey, DetectionOptions.Default with { Limit = limit, MaxSide = maxSide });

    /// <summary>Finds the strongest keypoints of an image. Transparent pixels of an image from <see cref="ImageFile"/> give none.</summary>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="options">The detector, and how many.</param>
    /// <param name="mask">As large as the image, 8 bits, one channel: where it is 0 there are no keypoints. Null for none.</param>
    /// <param name="threads">The most threads that find orientations at once; 0 is one per core. OpenCV has threads of its own.</param>
    /// <returns>
    /// In the pixels of <paramref name="grey"/>: keypoints by falling response, ties by position, so that the order is always the same; empty where a side is below 8
    /// pixels. Sizes are such that a patch of six times the size suits: as SIFT's are.
    /// </returns>
    /// <exception cref="ArgumentException">The image or the mask is not a non-empty 8-bit grey one, the mask has another size, or a limit is below 1.</exception>
    /// <exception cref="InvalidOperationException">OpenCV failed, or the image has over 2^25 pixels and the detector is not SIFT or the grid; the message tells
    /// what to do.</exception>
    public static Keypoint[] Detect(Mat grey, DetectionOptions options, Mat? mask = null, int threads = 0)
    {
        PatchCutter.CheckGrey(grey);
        ArgumentNullException.ThrowIfNull(options);
        Check(grey, options, mask);
        using var searched = new ReducedImage(grey, options.MaxSide);
        if (IsTooSmall(searched.Grey))
        {
            return [];
        }

        Keypoint[] keypoints = [.. Search(searched.Grey, options, mask)
            .Select(k => searched.Enlarge(k, options.Detector == Detector.Sift ? TiledSift.Shift : 0))];
        keypoints = CutOutImage.Keep(grey, keypoints, k => (k.X, k.Y), "keypoints");
        keypoints = mask is null ? keypoints : Array.FindAll(keypoints, k => IsIn(mask, k));
        keypoints = options.Upright ? [.. keypoints.Select(k => k.Upright()).DistinctBy(k => (k.X, k.Y, k.Size, k.Shape))] : keypoints;
        Array.Sort(keypoints, Compare);
        keypoints = keypoints.Length > options.Limit ? keypoints[..options.Limit] : keypoints;
        return !options.Upright && options.Detector is Detector.Mser or Detector.Harris ? KeypointOrientation.Turn(grey, keypoints, threads) : keypoints;
    }

    /// <summary>Whether an image has no scale space to search in.</summary>
    internal static bool IsTooSmall(Mat grey) => Math.Min(grey.Width, grey.Height) < SmallestSide;

    private static void Check(Mat grey, DetectionOptions options, Mat? mask)
    {
        if (options.Limit < 1)
        {
            throw new ArgumentException($"the limit of keypoints must be at least 1, not {options.Limit}", nameof(options));
        }

        if (options.MaxSide < 1)
        {
            throw new ArgumentException($"the longer side of an image must have at least 1 pixel, not {options.MaxSide}", nameof(options));
        }

        if (mask is not null && (mask.Type() != MatType.CV_8UC1 || mask.Size() != grey.Size()))
        {
            throw new ArgumentException(
                $"a mask is as large as its image, 8 bits and one channel: {grey.Width} x {grey.Height}, not {mask.Width} x {mask.Height} of {mask.Type()}", nameof(mask));
        }
    }

    private static IEnumerable<Keypoint> Search(Mat grey, DetectionOptions options, Mat? mask)
    {
        if (options.Detector == Detector.Sift)
        {
            return TiledSift.Detect(grey, TiledSift.UsualTile);
        }

        if (options.Detector == Detector.Grid)
        {
            return KeypointGrid.Places(grey.Width, grey.Height, options.Limit);
        }

        if ((long)grey.Width * grey.Height > MostPixels)
        {
            throw new InvalidOperationException($"the detector {options.Detector.ToString().ToLowerInvariant()} takes images of up to {MostPixels / 1e6:0} million pixels, not "
                + $"{grey.Width} x {grey.Height}: search in a reduced image (--max-side), or with sift");
        }

        return options.Detector switch
        {
            Detector.Akaze => OpenCvDetector.Akaze(grey),
            Detector.Orb => OpenCvDetector.Orb(grey, options.Limit, mask),
            Detector.Brisk => OpenCvDetector.Brisk(grey),
            Detector.Mser => MserRegions.Find(grey).Select(OpenCvDetector.OfRegion),
            Detector.Harris => OpenCvDetector.Harris(grey),
            _ => throw new ArgumentException($"there is no detector {options.Detector}", nameof(options)),
        };
    }

    private static bool IsIn(Mat mask, Keypoint k) => mask.At<byte>(
        Math.Clamp((int)Math.Round(k.Y), 0, mask.Height - 1), Math.Clamp((int)Math.Round(k.X), 0, mask.Width - 1)) != 0;

    private static int Compare(Keypoint a, Keypoint b)
    {
        int order = b.Response.CompareTo(a.Response);
        order = order != 0 ? order : a.Y.CompareTo(b.Y);
        order = order != 0 ? order : a.X.CompareTo(b.X);
        order = order != 0 ? order : a.Size.CompareTo(b.Size);
        return order != 0 ? order : a.Angle.CompareTo(b.Angle);
    }
}
