using CudaL2Net.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>The ellipses of OpenCV's maximally stable regions, dark and bright.</summary>
internal static class MserRegions
{
    /// <summary>Finds them, always in the same order.</summary>
    /// <param name="grey">8 bits, one channel.</param>
    /// <exception cref="InvalidOperationException">OpenCV failed; the message tells how.</exception>
    public static Ellipse[] Find(Mat grey)
    {
        // A flat image is one region, all but its border, and has no shape to find again.
        IEnumerable<Ellipse> ellipses = Detect(grey).Where(pixels => pixels.Length < (grey.Width - 2L) * (grey.Height - 2)).Select(pixels =>
        {
            // Pixels are squares, not points, which adds 1/12 to the variances: a region one pixel wide has an ellipse too.
            double n = pixels.Length, x = pixels.Average(p => (double)p.X), y = pixels.Average(p => (double)p.Y);
            double xx = pixels.Sum(p => (p.X - x) * (p.X - x)) / n, xy = pixels.Sum(p => (p.X - x) * (p.Y - y)) / n;
            double yy = pixels.Sum(p => (p.Y - y) * (p.Y - y)) / n;
            return Ellipse.FromMoments(x, y, xx + (1.0 / 12), xy, yy + (1.0 / 12));
        });
        return [.. ellipses.OrderBy(region => region.Y).ThenBy(region => region.X).ThenBy(region => region.Area)];
    }

    private static Point[][] Detect(Mat grey)
    {
        try
        {
            using MSER mser = MSER.Create();
            mser.DetectRegions(grey, out Point[][] regions, out _);
            return regions;
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidOperationException($"OpenCV could not find regions in an image of {grey.Width} x {grey.Height}: {exception.Message}", exception);
        }
    }
}
