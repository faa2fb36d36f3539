using System.Numerics;

namespace CudaL2Net.Data;

/// <summary>
/// A grey image at full, half, quarter, ... size, in managed memory. Pixel (x, y) of level l is at (2^l x, 2^l y) of the image.
/// </summary>
internal sealed class ImagePyramid
{
    private readonly (byte[] Pixels, int Width, int Height)[] levels;

    /// <summary>Builds the levels 0 to at most <paramref name="highest"/>; stops where a level has a single row or column.</summary>
    /// <param name="pixels">[height][width], kept as level 0.</param>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="highest">The coarsest level.</param>
    public ImagePyramid(byte[] pixels, int width, int height, int highest)
    {
        List<(byte[] Pixels, int Width, int Height)> built = [(pixels, width, height)];
        for (int level = 1; level <= highest && Math.Min(built[^1].Width, built[^1].Height) > 1; level++)
        {
            built.Add(Halve(built[^1].Pixels, built[^1].Width, built[^1].Height));
        }

        levels = [.. built];
    }

    /// <summary>The coarsest level that samples at this distance look at.</summary>
    /// <param name="widest">The largest distance of two samples, in pixels.</param>
    public static int HighestLevel(double widest) => (int)Math.Ceiling(Math.Clamp(Math.Log2(widest), 0, 30));

    /// <summary>The number of levels.</summary>
    public int Count => levels.Length;

    /// <summary>The pixels of a level, [height][width].</summary>
    public (byte[] Pixels, int Width, int Height) Level(int level) => levels[level];

    /// <summary>Samples a square: <paramref name="side"/> x side bytes at <paramref name="step"/> pixels' distance, the x axis turned by
    /// <paramref name="angle"/> degrees.</summary>
    /// <remarks>
    /// Samples mix the two levels whose pixels are next finer and next coarser than the step, bilinear in each (trilinear mip mapping), so the blur
    /// follows the step without jumps. Outside, the image's border goes on.
    /// </remarks>
    public unsafe void Cut(float x, float y, float angle, double step, int side, byte* patch)
    {
        double radians = angle * (Math.PI / 180);
        float cos = (float)(Math.Cos(radians) * step), sin = (float)(Math.Sin(radians) * step);
        float* sum = stackalloc float[side * side];
        new Span<float>(sum, side * side).Clear();
        Blend(new SampleGrid(x, y, cos, -sin, sin, cos), step, 1, side, sum);
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

    /// <summary>
    /// Every second pixel of every second row after a blur by [1 4 6 4 1] / 16 in both directions, rounded once; the border is mirrored without its outermost
    /// pixel. To the bit OpenCV's pyrDown. The sums of 16 x 16 bytes fit 16 bits.
    /// </summary>
    private static (byte[] Pixels, int Width, int Height) Halve(byte[] pixels, int width, int height)
    {
        int halfWidth = (width + 1) / 2, halfHeight = (height + 1) / 2;
        byte[] half = new byte[halfWidth * halfHeight];
        ushort[] sums = new ushort[width];
        for (int y = 0; y < halfHeight; y++)
        {
            SumRows(Row((2 * y) - 2), Row((2 * y) - 1), Row(2 * y), Row((2 * y) + 1), Row((2 * y) + 2), sums);
            Span<byte> target = half.AsSpan(y * halfWidth, halfWidth);
            for (int x = 0; x < halfWidth; x++)
            {
                int at = 2 * x;
                target[x] = at >= 2 && at + 2 < width
                    ? Weigh(sums[at - 2], sums[at - 1], sums[at], sums[at + 1], sums[at + 2])
                    : Weigh(At(at - 2), At(at - 1), At(at), At(at + 1), At(at + 2));
            }
        }

        return (half, halfWidth, halfHeight);

        ReadOnlySpan<byte> Row(int y) => pixels.AsSpan(Mirror(y, height) * width, width);
        int At(int x) => sums[Mirror(x, width)];
        static byte Weigh(int a, int b, int c, int d, int e) => (byte)((a + e + (4 * (b + d)) + (6 * c) + 128) >> 8);
    }

    private static void SumRows(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c, ReadOnlySpan<byte> d, ReadOnlySpan<byte> e, Span<ushort> sums)
    {
        int x = 0;
        for (; x <= sums.Length - Vector<byte>.Count; x += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(a[x..]), out Vector<ushort> a0, out Vector<ushort> a1);
            Vector.Widen(new Vector<byte>(b[x..]), out Vector<ushort> b0, out Vector<ushort> b1);
            Vector.Widen(new Vector<byte>(c[x..]), out Vector<ushort> c0, out Vector<ushort> c1);
            Vector.Widen(new Vector<byte>(d[x..]), out Vector<ushort> d0, out Vector<ushort> d1);
            Vector.Widen(new Vector<byte>(e[x..]), out Vector<ushort> e0, out Vector<ushort> e1);
            (a0 + e0 + ((b0 + d0 + c0) << 2) + (c0 << 1)).CopyTo(sums[x..]);
            (a1 + e1 + ((b1 + d1 + c1) << 2) + (c1 << 1)).CopyTo(sums[(x + Vector<ushort>.Count)..]);
        }

        for (; x < sums.Length; x++)
        {
            sums[x] = (ushort)(a[x] + e[x] + (4 * (b[x] + d[x])) + (6 * c[x]));
        }
    }

    // -1 is 1, -2 is 2; length is length - 2. An image of two pixels is mirrored more than once.
    private static int Mirror(int at, int length)
    {
        while (at < 0 || at >= length)
        {
            at = at < 0 ? -at : (2 * (length - 1)) - at;
        }

        return at;
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
