using System.Runtime.InteropServices;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// A grey image at full, half, quarter, ... size (OpenCV's pyrDown), in managed memory. Pixel (x, y) of level l is at (2^l x, 2^l y) of the image.
/// </summary>
internal sealed class ImagePyramid
{
    private readonly (byte[] Pixels, int Width, int Height)[] levels;

    /// <summary>Builds the levels 0 to at most <paramref name="highest"/>; stops where a level has a single row or column.</summary>
    public ImagePyramid(Mat grey, int highest)
    {
        List<(byte[] Pixels, int Width, int Height)> built = [Copy(grey)];
        Mat current = grey;
        for (int level = 1; level <= highest && Math.Min(built[^1].Width, built[^1].Height) > 1; level++)
        {
            Mat next = new();
            Cv2.PyrDown(current, next);
            Release(current, grey);
            current = next;
            built.Add(Copy(current));
        }

        Release(current, grey);
        levels = [.. built];
    }

    /// <summary>The number of levels.</summary>
    public int Count => levels.Length;

    /// <summary>Samples a square: <paramref name="side"/> x side bytes at <paramref name="step"/> pixels' distance, the x axis turned by the keypoint's
    /// angle.</summary>
    /// <remarks>
    /// Samples mix the two levels whose pixels are next finer and next coarser than the step, bilinear in each (trilinear mip mapping), so the blur
    /// follows the step without jumps. Outside, the image's border goes on.
    /// </remarks>
    public unsafe void Cut(in Keypoint keypoint, double step, int side, byte* patch)
    {
        double radians = keypoint.Angle * (Math.PI / 180);
        float cos = (float)(Math.Cos(radians) * step), sin = (float)(Math.Sin(radians) * step);
        float* sum = stackalloc float[side * side];
        new Span<float>(sum, side * side).Clear();
        Blend(new SampleGrid(keypoint.X, keypoint.Y, cos, -sin, sin, cos), step, 1, side, sum);
        Round(sum, side, patch);
    }

    /// <summary>Samples a parallelogram as <paramref name="side"/> x side bytes.</summary>
    /// <remarks>
    /// Where the samples' distances differ in two directions, each pixel is the mean of several probes along the wider one, each as far from the next as the
    /// samples are in the narrower direction (anisotropic mip mapping), at most 16 of them.
    /// </remarks>
    public unsafe void Cut(in SampleGrid grid, int side, byte* patch)
    {
        const int MostProbes = 16;
        (double widest, double narrowest, float alongX, float alongY) = grid.Steps();
        int probes = Math.Clamp((int)Math.Ceiling(widest / Math.Max(1, narrowest) - 1e-3), 1, MostProbes);
        float* sum = stackalloc float[side * side];
        new Span<float>(sum, side * side).Clear();
        for (int probe = 0; probe < probes; probe++)
        {
            float shift = ((probe + 0.5f) / probes) - 0.5f;
            Blend(grid with { X = grid.X + (shift * alongX), Y = grid.Y + (shift * alongY) }, widest / probes, 1f / probes, side, sum);
        }

        Round(sum, side, patch);
    }

    private static unsafe void Round(float* sum, int side, byte* patch)
    {
        for (int i = 0; i < side * side; i++)
        {
            patch[i] = (byte)(sum[i] + 0.5f);
        }
    }

    private static void Release(Mat level, Mat image)
    {
        if (!ReferenceEquals(level, image))
        {
            level.Dispose();
        }
    }

    private static (byte[] Pixels, int Width, int Height) Copy(Mat grey)
    {
        int width = grey.Width, height = grey.Height;
        byte[] pixels = new byte[width * height];
        for (int y = 0; y < height; y++)
        {
            Marshal.Copy(grey.Ptr(y), pixels, y * width, width);
        }

        return (pixels, width, height);
    }

    private unsafe void Blend(in SampleGrid grid, double step, float weight, int side, float* sum)
    {
        double exact = Math.Clamp(Math.Log2(step), 0, Count - 1);
        int fine = (int)exact;
        float coarseWeight = (float)(exact - fine);
        if (coarseWeight < 0.02f || fine + 1 >= Count)
        {
            Add(fine, weight, grid, side, sum);
        }
        else
        {
            Add(fine, weight * (1 - coarseWeight), grid, side, sum);
            Add(fine + 1, weight * coarseWeight, grid, side, sum);
        }
    }

    private unsafe void Add(int level, float weight, SampleGrid grid, int side, float* sum)
    {
        (byte[] pixels, int width, int height) = levels[level];
        float shrink = 1f / (1 << level);
        grid = new SampleGrid(grid.X * shrink, grid.Y * shrink, grid.Xx * shrink, grid.Xy * shrink, grid.Yx * shrink, grid.Yy * shrink);
        float half = (side - 1) * 0.5f;
        float reachX = (half * (Math.Abs(grid.Xx) + Math.Abs(grid.Xy))) + 1, reachY = (half * (Math.Abs(grid.Yy) + Math.Abs(grid.Yx))) + 1;
        bool inside = grid.X - reachX >= 0 && grid.Y - reachY >= 0 && grid.X + reachX < width - 1 && grid.Y + reachY < height - 1;
        fixed (byte* image = pixels)
        {
            for (int row = 0; row < side; row++)
            {
                float x = grid.X - (grid.Xx * half) + (grid.Xy * (row - half));
                float y = grid.Y - (grid.Yx * half) + (grid.Yy * (row - half));
                float* line = sum + (row * side);
                for (int column = 0; column < side; column++)
                {
                    float px = x + (grid.Xx * column), py = y + (grid.Yx * column);
                    if (!inside)
                    {
                        px = Math.Clamp(px, 0, width - 1);
                        py = Math.Clamp(py, 0, height - 1);
                    }

                    int ix = (int)px, iy = (int)py;
                    float fx = px - ix, fy = py - iy;
                    byte* a = image + ((long)iy * width) + ix;
                    int right = ix + 1 < width ? 1 : 0;
                    byte* b = iy + 1 < height ? a + width : a;
                    float top = a[0] + (fx * (a[right] - a[0]));
                    float bottom = b[0] + (fx * (b[right] - b[0]));
                    line[column] += weight * (top + (fy * (bottom - top)));
                }
            }
        }
    }
}
