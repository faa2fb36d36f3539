using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>A homography from an image to its warped copy, and the copy's size. Pixel centres are at integers.</summary>
internal sealed class Warp
{
    // Row by row; x' = (m0 x + m1 y + m2) / (m6 x + m7 y + m8).
    private readonly double[] matrix;

    private Warp(double[] matrix, int width, int height) => (this.matrix, Width, Height) = (matrix, width, height);

    public int Width { get; }

    public int Height { get; }

    /// <summary>Draws a rotation, scale, tilt and perspective about the image's centre; the copy shows the whole image, within bounds.</summary>
    public static Warp Draw(ref PhiloxStream draws, PairOptions options, int width, int height)
    {
        double scale = Math.Pow(options.Scale, draws.Next(-1f, 1f));
        double tilt = Math.Sqrt(Math.Pow(options.Tilt, draws.NextSingle()));
        double axis = draws.Next(0, MathF.PI);
        double rotation = draws.NextSingle() < options.AnyRotation ? draws.Next(-MathF.PI, MathF.PI) : draws.Next(-1f, 1f) * options.SmallRotation;
        double perspectiveX = draws.Next(-1f, 1f) * options.Perspective / (0.5 * width),
            perspectiveY = draws.Next(-1f, 1f) * options.Perspective / (0.5 * height);

        // A = scale R(rotation) R(axis) diag(tilt, 1 / tilt) R(-axis), tilt the root of the ratio of the axes.
        double c = Math.Cos(axis), s = Math.Sin(axis);
        double a = (c * c * tilt) + (s * s / tilt), b = c * s * (tilt - (1 / tilt)), d = (s * s * tilt) + (c * c / tilt);
        double cr = Math.Cos(rotation) * scale, sr = Math.Sin(rotation) * scale;
        double[] linear = [(cr * a) - (sr * b), (cr * b) - (sr * d), (sr * a) + (cr * b), (sr * b) + (cr * d)];
        double centreX = (width - 1) * 0.5, centreY = (height - 1) * 0.5;
        double left = double.MaxValue, right = double.MinValue, top = double.MaxValue, bottom = double.MinValue;
        foreach ((double dx, double dy) in new[] { (-centreX, -centreY), (centreX, -centreY), (centreX, centreY), (-centreX, centreY) })
        {
            double depth = 1 + (perspectiveX * dx) + (perspectiveY * dy);
            double x = ((linear[0] * dx) + (linear[1] * dy)) / depth, y = ((linear[2] * dx) + (linear[3] * dy)) / depth;
            (left, right, top, bottom) = (Math.Min(left, x), Math.Max(right, x), Math.Min(top, y), Math.Max(bottom, y));
        }

        double limit = 1.35 * Math.Max(width, height), middleX = (left + right) * 0.5, middleY = (top + bottom) * 0.5;
        int newWidth = (int)Math.Clamp(right - left, 16, limit), newHeight = (int)Math.Clamp(bottom - top, 16, limit);
        double shiftX = ((newWidth - 1) * 0.5) - middleX, shiftY = ((newHeight - 1) * 0.5) - middleY;

        // Shift(new centre) A P Shift(-old centre), multiplied out.
        double[] m =
        [
            linear[0] + (shiftX * perspectiveX), linear[1] + (shiftX * perspectiveY), 0,
            linear[2] + (shiftY * perspectiveX), linear[3] + (shiftY * perspectiveY), 0,
            perspectiveX, perspectiveY, 0,
        ];
        m[2] = shiftX - (m[0] * centreX) - (m[1] * centreY);
        m[5] = shiftY - (m[3] * centreX) - (m[4] * centreY);
        m[8] = 1 - (m[6] * centreX) - (m[7] * centreY);
        return new Warp(m, newWidth, newHeight);
    }

    /// <summary>The warped copy. Beyond the image its mirror image goes on; where it shrinks it is smoothed first.</summary>
    public Mat Apply(Mat image)
    {
        double shrink = SmallestScale((image.Width - 1) * 0.5, (image.Height - 1) * 0.5);
        using Mat smooth = new();
        bool reduced = shrink < 0.8;
        if (reduced)
        {
            Cv2.GaussianBlur(image, smooth, new Size(0, 0), 0.4 * Math.Sqrt((1 / (shrink * shrink)) - 1));
        }

        Mat copy = new();
        using Mat transform = Mat.FromPixelData(3, 3, MatType.CV_64FC1, matrix);
        Cv2.WarpPerspective(reduced ? smooth : image, copy, transform, new Size(Width, Height), InterpolationFlags.Linear, BorderTypes.Reflect101);
        return copy;
    }

    /// <summary>
    /// Where a keypoint lies in the copy: its size changes by the root of the determinant of the Jacobian J, and its orientation, being the direction of a
    /// gradient, turns as a covector, by the inverse transpose of J.
    /// </summary>
    public Keypoint Project(in Keypoint keypoint)
    {
        (double x, double y, double xx, double xy, double yx, double yy) = Linearize(keypoint.X, keypoint.Y);
        double determinant = (xx * yy) - (xy * yx);
        double radians = keypoint.Angle * (Math.PI / 180), gx = Math.Cos(radians), gy = Math.Sin(radians);
        double angle = Math.Atan2(((-xy * gx) + (xx * gy)) / determinant, ((yy * gx) - (yx * gy)) / determinant) * (180 / Math.PI);
        return keypoint with
        {
            X = (float)x,
            Y = (float)y,
            Size = (float)(keypoint.Size * Math.Sqrt(Math.Abs(determinant))),
            Angle = (float)(angle < 0 ? angle + 360 : angle)
        };
    }

    private (double X, double Y, double XX, double XY, double YX, double YY) Linearize(double x, double y)
    {
        double[] m = matrix;
        double w = 1 / ((m[6] * x) + (m[7] * y) + m[8]);
        double px = ((m[0] * x) + (m[1] * y) + m[2]) * w, py = ((m[3] * x) + (m[4] * y) + m[5]) * w;
        return (px, py, (m[0] - (px * m[6])) * w, (m[1] - (px * m[7])) * w, (m[3] - (py * m[6])) * w, (m[4] - (py * m[7])) * w);
    }

    private double SmallestScale(double x, double y)
    {
        (_, _, double a, double b, double c, double d) = Linearize(x, y);
        double half = ((a * a) + (b * b) + (c * c) + (d * d)) * 0.5, determinant = (a * d) - (b * c);
        return Math.Sqrt(Math.Max(half - Math.Sqrt(Math.Max((half * half) - (determinant * determinant), 0)), 1e-6));
    }
}
