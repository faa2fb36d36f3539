using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Views of the corner of a room: three planes with noise on them, seen by a camera that walks. So the true cameras and depths are known.</summary>
internal static class PlaneScene
{
    public const int Width = 480, Height = 360;
    public const double Focal = 1.2 * Width;

    /// <summary>Writes views as <c>view0.png</c> and so on.</summary>
    public static void Write(string folder, int views)
    {
        Directory.CreateDirectory(folder);
        using Mat first = TestImages.Speckle(512, 512, 1), second = TestImages.Speckle(512, 512, 2), third = TestImages.Speckle(512, 512, 3);
        for (int i = 0; i < views; i++)
        {
            double turn = 0.55 + (0.08 * (i - ((views - 1) / 2.0))), height = 2.6 + (0.1 * (i % 2));
            using Mat view = Render([first, second, third], Centre(turn, height));
            Cv2.ImWrite(Path.Combine(folder, $"view{i}.png"), view);
        }
    }

    private static (double X, double Y, double Z) Centre(double turn, double height) => (7 * Math.Cos(turn), 7 * Math.Sin(turn), height);

    // The planes are x = 0, y = 0 and z = 0. The camera looks at (1, 1, 1), its rows go down.
    private static Mat Render(Mat[] planes, (double X, double Y, double Z) centre)
    {
        double[] c = [centre.X, centre.Y, centre.Z], forward = Unit([1 - c[0], 1 - c[1], 1 - c[2]]);
        double[] right = Unit([forward[1], -forward[0], 0]);
        double[] down = [
            (forward[1] * right[2]) - (forward[2] * right[1]), (forward[2] * right[0]) - (forward[0] * right[2]), (forward[0] * right[1]) - (forward[1] * right[0])];
        return TestImages.Render(Width, Height, (x, y) =>
        {
            double u = (x + 0.5 - (Width / 2.0)) / Focal, v = (y + 0.5 - (Height / 2.0)) / Focal;
            double[] ray = [.. Enumerable.Range(0, 3).Select(k => forward[k] + (u * right[k]) + (v * down[k]))];
            double nearest = double.PositiveInfinity;
            int plane = 0;
            for (int k = 0; k < 3; k++)
            {
                double distance = -c[k] / ray[k];
                if (distance > 0 && distance < nearest)
                {
                    (nearest, plane) = (distance, k);
                }
            }

            double s = c[(plane + 1) % 3] + (nearest * ray[(plane + 1) % 3]), t = c[(plane + 2) % 3] + (nearest * ray[(plane + 2) % 3]);
            return Sample(planes[plane], s * 100, t * 100);
        });
    }

    private static double Sample(Mat texture, double x, double y)
    {
        (int left, int top) = ((int)Math.Floor(x), (int)Math.Floor(y));
        (double right, double below) = (x - left, y - top);
        double At(int column, int row) => texture.At<byte>(row & 511, column & 511);
        return (((At(left, top) * (1 - right)) + (At(left + 1, top) * right)) * (1 - below))
            + (((At(left, top + 1) * (1 - right)) + (At(left + 1, top + 1) * right)) * below);
    }

    private static double[] Unit(double[] v)
    {
        double norm = Math.Sqrt(v.Sum(value => value * value));
        return [.. v.Select(value => value / norm)];
    }
}
