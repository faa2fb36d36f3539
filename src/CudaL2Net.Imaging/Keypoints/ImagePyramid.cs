using System.Runtime.InteropServices;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// A grey picture at full, half, quarter, ... size (OpenCV's pyrDown), in managed memory. Pixel (x, y) of level l is at (2^l x, 2^l y) of the picture.
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
    /// follows the step without jumps. Outside, the picture's border goes on.
    /// </remarks>
    public unsafe void Cut(in Keypoint keypoint, double step, int side, byte* patch)
    {
        double radians = keypoint.Angle * (Math.PI / 180);
        float cos = (float)(Math.Cos(radians) * step), sin = (float)(Math.Sin(radians) * step);
        double exact = Math.Clamp(Math.Log2(step), 0, Count - 1);
        int fine = (int)exact;
        float coarseWeight = (float)(exact - fine);
        float* sum = stackalloc float[side * side];
        new Span<float>(sum, side * side).Clear();
        if (coarseWeight < 0.02f || fine + 1 >= Count)
        {
            Add(fine, 1, keypoint, cos, sin, side, sum);
        }
        else
        {
            Add(fine, 1 - coarseWeight, keypoint, cos, sin, side, sum);
            Add(fine + 1, coarseWeight, keypoint, cos, sin, side, sum);
        }

        for (int i = 0; i < side * side; i++)
        {
            patch[i] = (byte)(sum[i] + 0.5f);
        }
    }

    private static void Release(Mat level, Mat picture)
    {
        if (!ReferenceEquals(level, picture))
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

    private unsafe void Add(int level, float weight, in Keypoint keypoint, float cos, float sin, int side, float* sum)
    {
        (byte[] pixels, int width, int height) = levels[level];
        float shrink = 1f / (1 << level);
        float centreX = keypoint.X * shrink, centreY = keypoint.Y * shrink;
        cos *= shrink;
        sin *= shrink;
        float half = (side - 1) * 0.5f;
        float reach = half * (Math.Abs(cos) + Math.Abs(sin)) + 1;
        bool inside = centreX - reach >= 0 && centreY - reach >= 0 && centreX + reach < width - 1 && centreY + reach < height - 1;
        fixed (byte* image = pixels)
        {
            for (int row = 0; row < side; row++)
            {
                float x = centreX - (cos * half) - (sin * (row - half));
                float y = centreY - (sin * half) + (cos * (row - half));
                float* line = sum + (row * side);
                for (int column = 0; column < side; column++)
                {
                    float px = x + (cos * column), py = y + (sin * column);
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
