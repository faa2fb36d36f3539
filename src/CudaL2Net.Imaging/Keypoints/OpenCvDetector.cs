using CudaL2Net.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>OpenCV's detectors, their keypoints in the terms of <see cref="Keypoint"/>.</summary>
internal static class OpenCvDetector
{
    // AKAZE's diameter is 3 sigma, SIFT's 2. ORB's is the side of the patch that it describes, 31 pixels in the finest scale: a patch of six times our size is as wide.
    // BRISK's is that of its pattern, which is wider than suits: on Oxford's sequences 0.3 to 0.4 of it matched best.
    private const float AkazeSize = 2f / 3, OrbSize = 1f / 6, BriskSize = 0.4f, CornerSize = 32f / 6;

    private const float OrbScale = 1.2f;

    /// <summary>Runs a detector.</summary>
    /// <param name="create">Makes it.</param>
    /// <param name="grey">8 bits, one channel.</param>
    /// <param name="mask">As large; 0 for no keypoints. Or null.</param>
    /// <exception cref="InvalidOperationException">OpenCV failed; the message tells how.</exception>
    public static IEnumerable<Keypoint> Find(Func<Feature2D> create, Mat grey, Mat? mask = null)
    {
        try
        {
            using Feature2D detector = create();
            return detector.Detect(grey, mask).Select(k =>
                new Keypoint(k.Pt.X, k.Pt.Y, k.Size, Keypoint.InOneTurn(k.Angle), k.Response, (sbyte)(k.Octave & 255)));
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidOperationException(
                $"OpenCV could not detect keypoints in an image of {grey.Width} x {grey.Height}: {exception.Message}", exception);
        }
    }

    /// <summary>AKAZE's keypoints.</summary>
    public static IEnumerable<Keypoint> Akaze(Mat grey) => Find(() => AKAZE.Create(), grey).Select(k => k with { Size = k.Size * AkazeSize });

    /// <summary>BRISK's keypoints.</summary>
    public static IEnumerable<Keypoint> Brisk(Mat grey)
    {
        // BRISK takes its layers for exactly 2/3, 1/2, 1/3, ... of the image. Other sides move keypoints by up to several pixels, so the border goes on to a multiple.
        const int Multiple = 12;
        int right = (Multiple - (grey.Width % Multiple)) % Multiple, below = (Multiple - (grey.Height % Multiple)) % Multiple;
        using var whole = new Mat();
        Cv2.CopyMakeBorder(grey, whole, 0, below, 0, right, BorderTypes.Replicate);
        return Find(() => BRISK.Create(), whole).Where(k => k.X <= grey.Width - 1 && k.Y <= grey.Height - 1).Select(k => k with { Size = k.Size * BriskSize }).ToArray();
    }

    /// <summary>ORB shares its keypoints out among its scales, so it is told how many there are to be, and where.</summary>
    public static IEnumerable<Keypoint> Orb(Mat grey, int limit, Mat? mask)
    {
        using Mat? searched = mask is null ? null : new Mat();
        if (searched is not null)
        {
            Cv2.Resize(mask!, searched, grey.Size(), 0, 0, InterpolationFlags.Nearest);
        }

        return Find(() => ORB.Create(limit, OrbScale), grey, searched).Select(k =>
        {
            // ORB takes the first of the pixels that a reduced pixel covers for its place, not their mean, and forgets that a reduced image has whole rows and columns.
            double scale = Math.Pow(OrbScale, k.Octave);
            return k with { X = Place(k.X, grey.Width), Y = Place(k.Y, grey.Height), Size = k.Size * OrbSize };

            float Place(float at, int side) => (float)((((at / scale) + 0.5) * side / Math.Round(side / scale)) - 0.5);
        }).ToArray();
    }

    /// <summary>Corners by their strength, refined. They have no scale: at patch scale 6 a patch is 32 pixels wide.</summary>
    public static IEnumerable<Keypoint> Harris(Mat grey)
    {
        const int Window = 2;
        Keypoint[] corners = [.. Find(() => GFTTDetector.Create(0, 0.001, 3, 3, true, 0.04), grey).Where(k => IsWithin(k.X, k.Y))];
        if (corners.Length == 0)
        {
            return [];
        }

        Point2f[] places = Cv2.CornerSubPix(
            grey, corners.Select(k => new Point2f(k.X, k.Y)), new Size(Window, Window), new Size(-1, -1), new TermCriteria(CriteriaTypes.Count | CriteriaTypes.Eps, 20, 0.01));
        return corners.Zip(places, (k, at) => (IsWithin(at.X, at.Y) ? k with { X = at.X, Y = at.Y } : k) with { Size = CornerSize, Angle = 0 });

        bool IsWithin(float x, float y) => x >= 0 && y >= 0 && x <= grey.Width - 1 && y <= grey.Height - 1;
    }

    /// <summary>A region as a keypoint: its ellipse is twice as wide as the keypoint's, as Oxford's are, so that a patch at patch scale 6 covers three times the ellipse.
    /// The response is the area.</summary>
    public static Keypoint OfRegion(Ellipse region)
    {
        (double xx, double xy, double yy) = region.FromUnitDisc;
        return Keypoint.FromShape(
            (float)region.X, (float)region.Y, new AffineShape((float)(xx / 2), (float)(xy / 2), (float)(xy / 2), (float)(yy / 2)), (float)region.Area);
    }
}
