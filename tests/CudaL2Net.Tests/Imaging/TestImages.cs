using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging;

/// <summary>Small images that tests compute.</summary>
internal static class TestImages
{
    /// <summary>A smooth sum of waves, defined at every real (x, y), so that any warp of it can be rendered without resampling.</summary>
    public static double Waves(double x, double y) =>
        128 + (40 * Math.Sin((0.11 * x) + (0.05 * y))) + (30 * Math.Sin((0.07 * x) - (0.13 * y) + 1)) + (25 * Math.Cos((0.16 * x) + (0.12 * y) + 2));

    public static unsafe Mat Render(int width, int height, Func<double, double, double> value)
    {
        Mat image = new(height, width, MatType.CV_8UC1);
        for (int y = 0; y < height; y++)
        {
            byte* row = (byte*)image.Ptr(y);
            for (int x = 0; x < width; x++)
            {
                row[x] = (byte)Math.Clamp(Math.Round(value(x, y)), 0, 255);
            }
        }

        return image;
    }

    /// <summary>Blurred noise with many keypoints.</summary>
    public static Mat Speckle(int width, int height, ulong seed)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Evaluation, 0);
        using Mat noise = Render(width, height, (_, _) => draws.Next(256));
        Mat smooth = new();
        Cv2.GaussianBlur(noise, smooth, new Size(0, 0), 2);
        Cv2.Normalize(smooth, smooth, 0, 255, NormTypes.MinMax);
        return smooth;
    }
}
