using OpenCvSharp;

namespace CudaL2Net.Imaging.Files;

/// <summary>An image with transparent pixels. What a file has there is hidden, often of any colour, so no keypoint may lie there.</summary>
internal sealed class CutOutImage : Mat
{
    private readonly string path;
    private readonly Mat hole;

    /// <summary>Copies an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="hole">Not 0 where it is transparent.</param>
    /// <param name="path">Its file.</param>
    public CutOutImage(Mat image, Mat hole, string path)
    {
        this.path = path;
        this.hole = hole.Clone();
        image.CopyTo(this);
    }

    /// <summary>Drops what lies on transparent pixels, and says so.</summary>
    /// <param name="image">An image, with transparent pixels or not.</param>
    /// <param name="all">Keypoints, or regions.</param>
    /// <param name="place">Where one of them lies, in pixels.</param>
    /// <param name="what">What they are, in messages.</param>
    public static T[] Keep<T>(Mat image, T[] all, Func<T, (double X, double Y)> place, string what)
    {
        if (image is not CutOutImage cutOut)
        {
            return all;
        }

        T[] kept = Array.FindAll(all, one => !cutOut.IsTransparent(place(one)));
        if (kept.Length < all.Length)
        {
            ImageRemarks.Say(cutOut.path, $"is transparent in places: {all.Length - kept.Length} of {all.Length} {what} lie there and were dropped");
        }

        return kept;
    }

    /// <summary>A smaller copy that knows its transparent pixels, too.</summary>
    public static Mat Reduce(Mat image, Size size)
    {
        var reduced = new Mat();
        Cv2.Resize(image, reduced, size, 0, 0, InterpolationFlags.Area);
        if (image is not CutOutImage cutOut)
        {
            return reduced;
        }

        using (reduced)
        {
            using var hole = new Mat();
            Cv2.Resize(cutOut.hole, hole, size, 0, 0, InterpolationFlags.Nearest);
            return new CutOutImage(reduced, hole, cutOut.path);
        }
    }

    /// <inheritdoc/>
    protected override void DisposeManaged()
    {
        hole.Dispose();
        base.DisposeManaged();
    }

    private bool IsTransparent((double X, double Y) place) => hole.At<byte>(
        Math.Clamp((int)Math.Round(place.Y), 0, hole.Height - 1), Math.Clamp((int)Math.Round(place.X), 0, hole.Width - 1)) != 0;
}
