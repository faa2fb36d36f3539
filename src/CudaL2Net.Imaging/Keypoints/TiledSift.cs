using OpenCvSharp;
using OpenCvSharp.Features2D;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// OpenCV's SIFT detector in bounded memory. OpenCV doubles an image and holds its whole scale space: some 235 bytes per pixel. A larger image than a tile is searched
/// twice. Its first three octaves, of 64 keypoints about 63, in tiles that overlap by what a keypoint depends on: these are the keypoints of the whole image. The
/// others in the image reduced to a quarter of its side, blurred about as SIFT expects an image to be; its doubled octave, which is too blurred, is not needed.
/// </summary>
internal static class TiledSift
{
    /// <summary>The side of the largest square that is searched as one: OpenCV then takes 1 GB.</summary>
    public const int UsualTile = 2048;

    /// <summary>OpenCV's keypoints lie this much to the right of and below their place: the doubled image is not moved back by half a pixel of its own.</summary>
    public const double Shift = 0.25;

    // A keypoint of octave o depends on 34 x 2^(o + 1) pixels to each side: on those that blurring, its neighbours and its orientation reach.
    private const int LastTiledOctave = 1, Overlap = 160, Reduction = 4, ReducedOctaves = 2;

    // Tiles start where vectors of pixels and pixels of all their octaves start in the image.
    private const int Alignment = 32;

    /// <summary>Finds all keypoints, in no order.</summary>
    /// <param name="grey">8 bits, one channel.</param>
    /// <param name="tile">The side of a tile, above 2 x 160 + 32; an image of at most so many pixels as a tile is searched as a whole.</param>
    public static List<Keypoint> Detect(Mat grey, int tile)
    {
        if ((long)grey.Width * grey.Height <= (long)tile * tile)
        {
            return [.. Whole(grey)];
        }

        List<Keypoint> keypoints = [];
        foreach ((int top, int firstRow, int endRow, int bottom) in Cut(grey.Height, tile))
        {
            foreach ((int left, int firstColumn, int endColumn, int right) in Cut(grey.Width, tile))
            {
                using Mat part = grey[top, bottom, left, right];
                keypoints.AddRange(Whole(part)
                    .Where(k => k.Octave <= LastTiledOctave)
                    .Select(k => k with { X = k.X + left, Y = k.Y + top })
                    .Where(k => k.X >= firstColumn && k.X < endColumn && k.Y >= firstRow && k.Y < endRow));
            }
        }

        using Mat reduced = Reduce(grey);
        keypoints.AddRange(KeypointDetector.IsTooSmall(reduced) ? [] : Detect(reduced, tile)
            .Select(k => ReducedImage.Enlarge(k, Reduction, Reduction, 0, Shift) with { Octave = k.Octave + ReducedOctaves })
            .Where(k => k.Octave > LastTiledOctave));
        return keypoints;
    }

    /// <summary>The pieces of a side: where a tile starts, where its own keypoints start and end, where it ends.</summary>
    internal static IEnumerable<(int Start, int First, int End, int TileEnd)> Cut(int length, int tile)
    {
        int own = tile - (2 * Overlap) - Alignment, count = length <= tile ? 1 : (length + own - 1) / own;
        for (int i = 0; i < count; i++)
        {
            int first = Place(i), end = Place(i + 1);
            yield return (Math.Max(0, first - Overlap), first, i + 1 < count ? end : int.MaxValue, Math.Min(length, end + Overlap));
        }

        int Place(int i) => i == count ? length : (int)((long)i * length / count) / Alignment * Alignment;
    }

    // Every fourth pixel. SIFT takes an image to be blurred by 0.5 pixels, and blurs it by some more where it doubles it: 0.4 come nearest in the octaves after that.
    private static Mat Reduce(Mat grey)
    {
        double blur = Math.Sqrt((0.4 * Reduction * 0.4 * Reduction) - 0.25);
        int width = Math.Max(1, grey.Width / Reduction), height = Math.Max(1, grey.Height / Reduction);
        using var blurred = new Mat();
        Cv2.GaussianBlur(grey, blurred, default, blur);
        using Mat whole = blurred[0, Math.Min(grey.Height, height * Reduction), 0, Math.Min(grey.Width, width * Reduction)];
        var reduced = new Mat();
        Cv2.Resize(whole, reduced, new Size(width, height), 0, 0, InterpolationFlags.Nearest);
        return reduced;
    }

    private static IEnumerable<Keypoint> Whole(Mat grey) => OpenCvDetector.Find(() => SIFT.Create(), grey);
}
