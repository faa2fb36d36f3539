using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging;

/// <summary>Small textured images and sequences of them.</summary>
internal static class TestSequences
{
    /// <summary>A turn by 12 degrees with a change of scale and a little perspective.</summary>
    public static Homography Warp { get; } = new(0.93, -0.2, 40, 0.19, 0.95, -20, 1e-4, -5e-5, 1);

    /// <summary>Discs of random place, size and grey level on a mild gradient.</summary>
    public static Mat Discs(int width, int height, uint number)
    {
        var random = new PhiloxStream(11, DrawPurpose.Evaluation, number);
        var image = new Mat(height, width, MatType.CV_8UC1, new Scalar(128));
        for (int i = 0; i < width * height / 250; i++)
        {
            var centre = new Point(random.Next(width), random.Next(height));
            Cv2.Ellipse(
                image, centre, new Size(2 + random.Next(12), 2 + random.Next(12)), random.Next(180), 0, 360, new Scalar(20 + random.Next(220)), -1,
                LineTypes.AntiAlias);
        }

        Cv2.GaussianBlur(image, image, new Size(0, 0), 0.8);
        return image;
    }

    /// <summary>The image as the homography takes it to its new place.</summary>
    public static Mat Warped(Mat image, Homography homography)
    {
        using Mat matrix = Mat.FromPixelData(3, 3, MatType.CV_64FC1, homography.Elements.ToArray());
        var warped = new Mat();
        Cv2.WarpPerspective(image, warped, matrix, image.Size(), InterpolationFlags.Linear, BorderTypes.Constant, new Scalar(128));
        return warped;
    }

    /// <summary>Writes a sequence of an image and its warped copy in Oxford's names.</summary>
    public static void WriteSequence(string folder, uint number = 1, int images = 2)
    {
        Directory.CreateDirectory(folder);
        using Mat reference = Discs(320, 240, number);
        Cv2.ImWrite(Path.Combine(folder, "img1.png"), reference);
        Homography homography = Homography.Identity;
        for (int k = 2; k <= images; k++)
        {
            homography = homography.Then(Warp);
            using Mat warped = Warped(reference, homography);
            Cv2.ImWrite(Path.Combine(folder, $"img{k}.png"), warped);
            homography.Write(Path.Combine(folder, $"H1to{k}p"));
        }
    }
}
