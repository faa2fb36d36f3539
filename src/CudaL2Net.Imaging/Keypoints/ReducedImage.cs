using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>An image with a limited number of pixels on its longer side, and the way back from its keypoints to those of the image.</summary>
internal sealed class ReducedImage : IDisposable
{
    private readonly double columns = 1, rows = 1;
    private readonly Mat? reduced;

    /// <summary>Reduces an image by areas, where it has to be.</summary>
    /// <param name="grey">The image.</param>
    /// <param name="maxSide">The most pixels of its longer side; null for any number.</param>
    public ReducedImage(Mat grey, int? maxSide)
    {
        Grey = grey;
        int side = Math.Max(grey.Width, grey.Height);
        if (maxSide is not { } most || side <= most)
        {
            return;
        }

        int width = Math.Max(1, (int)Math.Round((double)grey.Width * most / side)), height = Math.Max(1, (int)Math.Round((double)grey.Height * most / side));
        Grey = reduced = new Mat();
        Cv2.Resize(grey, reduced, new Size(width, height), 0, 0, InterpolationFlags.Area);
        (columns, rows) = ((double)grey.Width / width, (double)grey.Height / height);
    }

    /// <summary>The reduced image, or the image itself.</summary>
    public Mat Grey { get; }

    /// <summary>A keypoint in the image's pixels.</summary>
    /// <param name="keypoint">In the searched image's pixels.</param>
    /// <param name="shift">How far its detector sets keypoints to the right of and below their places, in the searched image's pixels.</param>
    public Keypoint Enlarge(Keypoint keypoint, double shift) => reduced is null ? keypoint : Enlarge(keypoint, columns, rows, 0.5, shift);

    /// <summary>A keypoint in the pixels of a larger image.</summary>
    /// <param name="keypoint">In the smaller one's pixels.</param>
    /// <param name="columns">Columns of the larger image to a column of the smaller one.</param>
    /// <param name="rows">The same of rows.</param>
    /// <param name="centre">Where in its columns a column lies: 0 where it is the first of them, 0.5 where it is their mean.</param>
    /// <param name="shift">How far its detector sets keypoints to the right of and below their places, in pixels of either image.</param>
    public static Keypoint Enlarge(Keypoint keypoint, double columns, double rows, double centre, double shift) => keypoint with
    {
        X = Place(keypoint.X, columns, centre, shift),
        Y = Place(keypoint.Y, rows, centre, shift),
        Size = (float)(keypoint.Size * Math.Sqrt(columns * rows)),
        Shape = keypoint.Shape.Stretched(columns, rows),
    };

    /// <inheritdoc/>
    public void Dispose() => reduced?.Dispose();

    private static float Place(float at, double scale, double centre, double shift) => (float)(((at - shift) * scale) + (centre * (scale - 1)) + shift);
}
