using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Where the pixels of a filter gradient's images lie.</summary>
internal readonly struct GradientImages
{
    /// <summary>Images, and output rows and columns of each.</summary>
    public required int Count { get; init; }

    public required int Rows { get; init; }

    public required int Columns { get; init; }

    /// <summary>Floats from image to image, row to row and pixel to pixel of the input.</summary>
    public required nint ImageStride { get; init; }

    public required nint RowStride { get; init; }

    public required nint PixelStride { get; init; }

    /// <summary>The same of the output's gradient.</summary>
    public required nint GradientImageStride { get; init; }

    public required nint GradientRowStride { get; init; }

    public required nint GradientPixelStride { get; init; }

    /// <summary>Two matrices whose rows take the place of pixels.</summary>
    public static GradientImages Matrices(int rows, nint stride, nint gradientStride) => new()
    {
        Count = 1,
        Rows = 1,
        Columns = rows,
        ImageStride = 0,
        RowStride = 0,
        PixelStride = stride,
        GradientImageStride = 0,
        GradientRowStride = 0,
        GradientPixelStride = gradientStride,
    };

    /// <summary>Copies 16 channels of the gradient side by side, and returns their layout.</summary>
    public unsafe GradientImages PackGradients(float* from, float* panel)
    {
        for (int image = 0; image < Count; image++)
        {
            for (int row = 0; row < Rows; row++)
            {
                float* pixel = from + (image * GradientImageStride) + (row * GradientRowStride);
                for (int column = 0; column < Columns; column++, pixel += GradientPixelStride, panel += 16)
                {
                    Vector256.Load(pixel).Store(panel);
                    Vector256.Load(pixel + 8).Store(panel + 8);
                }
            }
        }

        return this with { GradientImageStride = (nint)Rows * Columns * 16, GradientRowStride = (nint)Columns * 16, GradientPixelStride = 16 };
    }
}

/// <summary>
/// The innermost loops of convolutions and matrix products: sums of a tile of pixels x channels held in registers. Pixels are broadcast from memory, channels
/// come from a packed panel as wide as the tile. With 512-bit vectors a tile is 8 x 32: a step of k costs 10 loads and 16 fused multiply-adds. With 256-bit
/// vectors it is 6 x 16, 12 of the 16 registers, for 8 loads and 12 multiply-adds; its pixels may lie anywhere, so that tiles need not end where an image's
/// rows do.
/// </summary>
[SkipLocalsInit]
internal static unsafe class RegisterTile
{
    /// <summary>Pixels and channels of <see cref="Multiply6x16"/> and its like.</summary>
    public const int NarrowRows = 6, NarrowColumns = 16;

    /// <summary>Pixels of a tile.</summary>
    public static int Rows => Vector512.IsHardwareAccelerated ? 8 : NarrowRows;

    /// <summary>Channels of a tile, and columns of a packed panel.</summary>
    public static int Columns => Vector512.IsHardwareAccelerated ? 32 : NarrowColumns;

    /// <summary>
    /// y[m][j] = sum over taps t and channels c of a[offsets[t] + m aStride + c] b[t channels + c][j], plus bias[j] or, with
    /// <paramref name="accumulate"/>, plus y[m][j]; then ReLU.
    /// </summary>
    /// <param name="a">The first pixel.</param>
    /// <param name="aStride">Floats from pixel to pixel.</param>
    /// <param name="offsets">[taps]: floats from a pixel to each tap's first channel.</param>
    /// <param name="taps">Taps.</param>
    /// <param name="channels">Channels of a tap.</param>
    /// <param name="b">[taps][channels][<see cref="Columns"/>].</param>
    /// <param name="bias">[<see cref="Columns"/>] or null.</param>
    /// <param name="accumulate">Whether to start from y.</param>
    /// <param name="relu">Whether to end with max(0, y).</param>
    /// <param name="y">The first output pixel.</param>
    /// <param name="yStride">Floats from output pixel to output pixel.</param>
    /// <param name="rows">Pixels, 1 to <see cref="Rows"/>.</param>
    /// <param name="columns">Channels to write, 1 to <see cref="Columns"/>.</param>
    public static void Multiply(float* a, nint aStride, int* offsets, int taps, int channels, float* b, float* bias, bool accumulate, bool relu, float* y,
        nint yStride, int rows, int columns)
    {
        if (columns == Columns && rows == Rows && Vector512.IsHardwareAccelerated)
        {
            Multiply8x32(a, aStride, offsets, taps, channels, b, bias, accumulate, relu, y, yStride);
            return;
        }

        if (columns == Columns && rows > 1 && !Vector512.IsHardwareAccelerated)
        {
            // Missing pixels are computed as the last one once more.
            float** pixels = stackalloc float*[NarrowRows], targets = stackalloc float*[NarrowRows];
            for (int m = 0; m < NarrowRows; m++)
            {
                nint row = Math.Min(m, rows - 1);
                pixels[m] = a + (row * aStride);
                targets[m] = y + (row * yStride);
            }

            Multiply6x16(pixels, offsets, taps, channels, b, bias, accumulate, relu, targets, 0);
            return;
        }

        float* sums = stackalloc float[Columns];
        for (int m = 0; m < rows; m++)
        {
            float* target = y + (m * yStride);
            if (accumulate)
            {
                new Span<float>(target, columns).CopyTo(new Span<float>(sums, Columns));
            }

            if (Vector512.IsHardwareAccelerated)
            {
                Multiply1x32(a + (m * aStride), offsets, taps, channels, b, bias, accumulate, relu, sums);
            }
            else
            {
                Multiply1x16(a + (m * aStride), offsets, taps, channels, b, bias, accumulate, relu, sums);
            }

            new Span<float>(sums, columns).CopyTo(new Span<float>(target, columns));
        }
    }

    /// <summary>
    /// y[m][j] += the sum over all pixels of all images of x[m] dy[j]: a tile of a filter gradient.
    /// </summary>
    public static void OuterProduct(in GradientImages images, float* x, float* dy, float* y, nint yStride, int rows, int columns)
    {
        if (rows == Rows && columns == Columns && Vector512.IsHardwareAccelerated)
        {
            OuterProduct8x32(images, x, dy, y, yStride);
            return;
        }

        for (int m = 0; m < rows; m++)
        {
            OuterProduct1(images, x + m, dy, y + (m * yStride), columns);
        }
    }

    private static void Multiply8x32(float* a, nint aStride, int* offsets, int taps, int channels, float* b, float* bias, bool accumulate, bool relu, float* y,
        nint yStride)
    {
        Vector512<float> c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51, c60, c61, c70, c71;
        if (accumulate)
        {
            c00 = Vector512.Load(y);
            c01 = Vector512.Load(y + 16);
            c10 = Vector512.Load(y + yStride);
            c11 = Vector512.Load(y + yStride + 16);
            c20 = Vector512.Load(y + (2 * yStride));
            c21 = Vector512.Load(y + (2 * yStride) + 16);
            c30 = Vector512.Load(y + (3 * yStride));
            c31 = Vector512.Load(y + (3 * yStride) + 16);
            c40 = Vector512.Load(y + (4 * yStride));
            c41 = Vector512.Load(y + (4 * yStride) + 16);
            c50 = Vector512.Load(y + (5 * yStride));
            c51 = Vector512.Load(y + (5 * yStride) + 16);
            c60 = Vector512.Load(y + (6 * yStride));
            c61 = Vector512.Load(y + (6 * yStride) + 16);
            c70 = Vector512.Load(y + (7 * yStride));
            c71 = Vector512.Load(y + (7 * yStride) + 16);
        }
        else
        {
            c00 = bias == null ? Vector512<float>.Zero : Vector512.Load(bias);
            c01 = bias == null ? Vector512<float>.Zero : Vector512.Load(bias + 16);
            c10 = c20 = c30 = c40 = c50 = c60 = c70 = c00;
            c11 = c21 = c31 = c41 = c51 = c61 = c71 = c01;
        }

        for (int t = 0; t < taps; t++)
        {
            float* p = a + offsets[t];
            float* q = p + (3 * aStride);
            float* end = p + channels;
            nint s3 = 3 * aStride;
            while (p < end)
            {
                Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
                Vector512<float> v = Vector512.Create(*p);
                c00 = Vector512.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector512.FusedMultiplyAdd(v, b1, c01);
                v = Vector512.Create(*(p + aStride));
                c10 = Vector512.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector512.FusedMultiplyAdd(v, b1, c11);
                v = Vector512.Create(*(p + (2 * aStride)));
                c20 = Vector512.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector512.FusedMultiplyAdd(v, b1, c21);
                v = Vector512.Create(*q);
                c30 = Vector512.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector512.FusedMultiplyAdd(v, b1, c31);
                v = Vector512.Create(*(q + aStride));
                c40 = Vector512.FusedMultiplyAdd(v, b0, c40);
                c41 = Vector512.FusedMultiplyAdd(v, b1, c41);
                v = Vector512.Create(*(q + (2 * aStride)));
                c50 = Vector512.FusedMultiplyAdd(v, b0, c50);
                c51 = Vector512.FusedMultiplyAdd(v, b1, c51);
                v = Vector512.Create(*(q + s3));
                c60 = Vector512.FusedMultiplyAdd(v, b0, c60);
                c61 = Vector512.FusedMultiplyAdd(v, b1, c61);
                v = Vector512.Create(*(q + (4 * aStride)));
                c70 = Vector512.FusedMultiplyAdd(v, b0, c70);
                c71 = Vector512.FusedMultiplyAdd(v, b1, c71);
                p++;
                q++;
                b += Columns;
            }
        }

        if (relu)
        {
            c00 = Vector512.Max(c00, Vector512<float>.Zero);
            c01 = Vector512.Max(c01, Vector512<float>.Zero);
            c10 = Vector512.Max(c10, Vector512<float>.Zero);
            c11 = Vector512.Max(c11, Vector512<float>.Zero);
            c20 = Vector512.Max(c20, Vector512<float>.Zero);
            c21 = Vector512.Max(c21, Vector512<float>.Zero);
            c30 = Vector512.Max(c30, Vector512<float>.Zero);
            c31 = Vector512.Max(c31, Vector512<float>.Zero);
            c40 = Vector512.Max(c40, Vector512<float>.Zero);
            c41 = Vector512.Max(c41, Vector512<float>.Zero);
            c50 = Vector512.Max(c50, Vector512<float>.Zero);
            c51 = Vector512.Max(c51, Vector512<float>.Zero);
            c60 = Vector512.Max(c60, Vector512<float>.Zero);
            c61 = Vector512.Max(c61, Vector512<float>.Zero);
            c70 = Vector512.Max(c70, Vector512<float>.Zero);
            c71 = Vector512.Max(c71, Vector512<float>.Zero);
        }

        Vector512.Store(c00, y);
        Vector512.Store(c01, y + 16);
        Vector512.Store(c10, y + yStride);
        Vector512.Store(c11, y + yStride + 16);
        Vector512.Store(c20, y + (2 * yStride));
        Vector512.Store(c21, y + (2 * yStride) + 16);
        Vector512.Store(c30, y + (3 * yStride));
        Vector512.Store(c31, y + (3 * yStride) + 16);
        Vector512.Store(c40, y + (4 * yStride));
        Vector512.Store(c41, y + (4 * yStride) + 16);
        Vector512.Store(c50, y + (5 * yStride));
        Vector512.Store(c51, y + (5 * yStride) + 16);
        Vector512.Store(c60, y + (6 * yStride));
        Vector512.Store(c61, y + (6 * yStride) + 16);
        Vector512.Store(c70, y + (7 * yStride));
        Vector512.Store(c71, y + (7 * yStride) + 16);
    }

    /// <summary>
    /// y[m][column + j] = sum over taps t and channels c of a[m][offsets[t] + c] b[t channels + c][j] for six pixels and 16 channels, plus bias or y, then ReLU,
    /// as <see cref="Multiply"/> does. A pixel may appear more than once.
    /// </summary>
    public static void Multiply6x16(float** a, int* offsets, int taps, int channels, float* b, float* bias, bool accumulate, bool relu, float** y, nint column)
    {
        Vector256<float> c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51;
        if (accumulate)
        {
            c00 = Vector256.Load(y[0] + column);
            c01 = Vector256.Load(y[0] + column + 8);
            c10 = Vector256.Load(y[1] + column);
            c11 = Vector256.Load(y[1] + column + 8);
            c20 = Vector256.Load(y[2] + column);
            c21 = Vector256.Load(y[2] + column + 8);
            c30 = Vector256.Load(y[3] + column);
            c31 = Vector256.Load(y[3] + column + 8);
            c40 = Vector256.Load(y[4] + column);
            c41 = Vector256.Load(y[4] + column + 8);
            c50 = Vector256.Load(y[5] + column);
            c51 = Vector256.Load(y[5] + column + 8);
        }
        else
        {
            c00 = bias == null ? Vector256<float>.Zero : Vector256.Load(bias);
            c01 = bias == null ? Vector256<float>.Zero : Vector256.Load(bias + 8);
            c10 = c20 = c30 = c40 = c50 = c00;
            c11 = c21 = c31 = c41 = c51 = c01;
        }

        float* a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], a4 = a[4], a5 = a[5];
        for (int t = 0; t < taps; t++)
        {
            nint end = (nint)offsets[t] + channels;
            for (nint k = offsets[t]; k < end; k++)
            {
                Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
                Vector256<float> v = Vector256.Create(a0[k]);
                c00 = Vector256.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector256.FusedMultiplyAdd(v, b1, c01);
                v = Vector256.Create(a1[k]);
                c10 = Vector256.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector256.FusedMultiplyAdd(v, b1, c11);
                v = Vector256.Create(a2[k]);
                c20 = Vector256.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector256.FusedMultiplyAdd(v, b1, c21);
                v = Vector256.Create(a3[k]);
                c30 = Vector256.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector256.FusedMultiplyAdd(v, b1, c31);
                v = Vector256.Create(a4[k]);
                c40 = Vector256.FusedMultiplyAdd(v, b0, c40);
                c41 = Vector256.FusedMultiplyAdd(v, b1, c41);
                v = Vector256.Create(a5[k]);
                c50 = Vector256.FusedMultiplyAdd(v, b0, c50);
                c51 = Vector256.FusedMultiplyAdd(v, b1, c51);
                b += NarrowColumns;
            }
        }

        Vector256<float> floor = relu ? Vector256<float>.Zero : Vector256.Create(float.NegativeInfinity);
        Vector256.Store(Vector256.Max(c00, floor), y[0] + column);
        Vector256.Store(Vector256.Max(c01, floor), y[0] + column + 8);
        Vector256.Store(Vector256.Max(c10, floor), y[1] + column);
        Vector256.Store(Vector256.Max(c11, floor), y[1] + column + 8);
        Vector256.Store(Vector256.Max(c20, floor), y[2] + column);
        Vector256.Store(Vector256.Max(c21, floor), y[2] + column + 8);
        Vector256.Store(Vector256.Max(c30, floor), y[3] + column);
        Vector256.Store(Vector256.Max(c31, floor), y[3] + column + 8);
        Vector256.Store(Vector256.Max(c40, floor), y[4] + column);
        Vector256.Store(Vector256.Max(c41, floor), y[4] + column + 8);
        Vector256.Store(Vector256.Max(c50, floor), y[5] + column);
        Vector256.Store(Vector256.Max(c51, floor), y[5] + column + 8);
    }

    private static void Multiply1x32(float* a, int* offsets, int taps, int channels, float* b, float* bias, bool accumulate, bool relu, float* y)
    {
        float* start = accumulate ? y : bias;
        Vector256<float> c0 = start == null ? Vector256<float>.Zero : Vector256.Load(start);
        Vector256<float> c1 = start == null ? Vector256<float>.Zero : Vector256.Load(start + 8);
        Vector256<float> c2 = start == null ? Vector256<float>.Zero : Vector256.Load(start + 16);
        Vector256<float> c3 = start == null ? Vector256<float>.Zero : Vector256.Load(start + 24);
        for (int t = 0; t < taps; t++)
        {
            float* p = a + offsets[t];
            for (int c = 0; c < channels; c++)
            {
                Vector256<float> v = Vector256.Create(p[c]);
                c0 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b), c0);
                c1 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b + 8), c1);
                c2 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b + 16), c2);
                c3 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b + 24), c3);
                b += Columns;
            }
        }

        Vector256<float> floor = relu ? Vector256<float>.Zero : Vector256.Create(float.NegativeInfinity);
        Vector256.Store(Vector256.Max(c0, floor), y);
        Vector256.Store(Vector256.Max(c1, floor), y + 8);
        Vector256.Store(Vector256.Max(c2, floor), y + 16);
        Vector256.Store(Vector256.Max(c3, floor), y + 24);
    }

    private static void Multiply1x16(float* a, int* offsets, int taps, int channels, float* b, float* bias, bool accumulate, bool relu, float* y)
    {
        float* start = accumulate ? y : bias;
        Vector256<float> c0 = start == null ? Vector256<float>.Zero : Vector256.Load(start);
        Vector256<float> c1 = start == null ? Vector256<float>.Zero : Vector256.Load(start + 8);
        for (int t = 0; t < taps; t++)
        {
            float* p = a + offsets[t];
            for (int c = 0; c < channels; c++, b += NarrowColumns)
            {
                Vector256<float> v = Vector256.Create(p[c]);
                c0 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b), c0);
                c1 = Vector256.FusedMultiplyAdd(v, Vector256.Load(b + 8), c1);
            }
        }

        Vector256<float> floor = relu ? Vector256<float>.Zero : Vector256.Create(float.NegativeInfinity);
        Vector256.Store(Vector256.Max(c0, floor), y);
        Vector256.Store(Vector256.Max(c1, floor), y + 8);
    }

    private static void OuterProduct8x32(in GradientImages images, float* x, float* dy, float* y, nint yStride)
    {
        Vector512<float> c00 = Vector512.Load(y), c01 = Vector512.Load(y + 16);
        Vector512<float> c10 = Vector512.Load(y + yStride), c11 = Vector512.Load(y + yStride + 16);
        Vector512<float> c20 = Vector512.Load(y + (2 * yStride)), c21 = Vector512.Load(y + (2 * yStride) + 16);
        Vector512<float> c30 = Vector512.Load(y + (3 * yStride)), c31 = Vector512.Load(y + (3 * yStride) + 16);
        Vector512<float> c40 = Vector512.Load(y + (4 * yStride)), c41 = Vector512.Load(y + (4 * yStride) + 16);
        Vector512<float> c50 = Vector512.Load(y + (5 * yStride)), c51 = Vector512.Load(y + (5 * yStride) + 16);
        Vector512<float> c60 = Vector512.Load(y + (6 * yStride)), c61 = Vector512.Load(y + (6 * yStride) + 16);
        Vector512<float> c70 = Vector512.Load(y + (7 * yStride)), c71 = Vector512.Load(y + (7 * yStride) + 16);
        nint xStride = images.PixelStride, dyStride = images.GradientPixelStride;
        int columnCount = images.Columns;
        for (int row = 0; row < images.Count * images.Rows; row++)
        {
            int image = row / images.Rows, imageRow = row % images.Rows;
            float* p = x + (image * images.ImageStride) + (imageRow * images.RowStride);
            float* g = dy + (image * images.GradientImageStride) + (imageRow * images.GradientRowStride);
            for (int i = 0; i < columnCount; i++)
            {
                Vector512<float> b0 = Vector512.Load(g), b1 = Vector512.Load(g + 16);
                Vector512<float> v = Vector512.Create(p[0]);
                c00 = Vector512.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector512.FusedMultiplyAdd(v, b1, c01);
                v = Vector512.Create(p[1]);
                c10 = Vector512.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector512.FusedMultiplyAdd(v, b1, c11);
                v = Vector512.Create(p[2]);
                c20 = Vector512.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector512.FusedMultiplyAdd(v, b1, c21);
                v = Vector512.Create(p[3]);
                c30 = Vector512.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector512.FusedMultiplyAdd(v, b1, c31);
                v = Vector512.Create(p[4]);
                c40 = Vector512.FusedMultiplyAdd(v, b0, c40);
                c41 = Vector512.FusedMultiplyAdd(v, b1, c41);
                v = Vector512.Create(p[5]);
                c50 = Vector512.FusedMultiplyAdd(v, b0, c50);
                c51 = Vector512.FusedMultiplyAdd(v, b1, c51);
                v = Vector512.Create(p[6]);
                c60 = Vector512.FusedMultiplyAdd(v, b0, c60);
                c61 = Vector512.FusedMultiplyAdd(v, b1, c61);
                v = Vector512.Create(p[7]);
                c70 = Vector512.FusedMultiplyAdd(v, b0, c70);
                c71 = Vector512.FusedMultiplyAdd(v, b1, c71);
                p += xStride;
                g += dyStride;
            }
        }

        Vector512.Store(c00, y);
        Vector512.Store(c01, y + 16);
        Vector512.Store(c10, y + yStride);
        Vector512.Store(c11, y + yStride + 16);
        Vector512.Store(c20, y + (2 * yStride));
        Vector512.Store(c21, y + (2 * yStride) + 16);
        Vector512.Store(c30, y + (3 * yStride));
        Vector512.Store(c31, y + (3 * yStride) + 16);
        Vector512.Store(c40, y + (4 * yStride));
        Vector512.Store(c41, y + (4 * yStride) + 16);
        Vector512.Store(c50, y + (5 * yStride));
        Vector512.Store(c51, y + (5 * yStride) + 16);
        Vector512.Store(c60, y + (6 * yStride));
        Vector512.Store(c61, y + (6 * yStride) + 16);
        Vector512.Store(c70, y + (7 * yStride));
        Vector512.Store(c71, y + (7 * yStride) + 16);
    }

    /// <summary>
    /// y[m][column + j] += the sum over all pixels of all images of x[m] dy[j] for six channels and 16 columns; the channels may be of different taps.
    /// </summary>
    public static void OuterProduct6x16(in GradientImages images, float** x, float* dy, float** y, nint column)
    {
        Vector256<float> c00 = Vector256<float>.Zero, c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00, c40 = c00, c41 = c00;
        Vector256<float> c50 = c00, c51 = c00;
        float* x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5];
        nint xStride = images.PixelStride, dyStride = images.GradientPixelStride;
        for (int image = 0; image < images.Count; image++)
        {
            for (int row = 0; row < images.Rows; row++)
            {
                nint i = (image * images.ImageStride) + (row * images.RowStride), end = i + (images.Columns * xStride);
                float* g = dy + (image * images.GradientImageStride) + (row * images.GradientRowStride);
                for (; i < end; i += xStride)
                {
                    Vector256<float> b0 = Vector256.Load(g), b1 = Vector256.Load(g + 8);
                    Vector256<float> v = Vector256.Create(x0[i]);
                    c00 = Vector256.FusedMultiplyAdd(v, b0, c00);
                    c01 = Vector256.FusedMultiplyAdd(v, b1, c01);
                    v = Vector256.Create(x1[i]);
                    c10 = Vector256.FusedMultiplyAdd(v, b0, c10);
                    c11 = Vector256.FusedMultiplyAdd(v, b1, c11);
                    v = Vector256.Create(x2[i]);
                    c20 = Vector256.FusedMultiplyAdd(v, b0, c20);
                    c21 = Vector256.FusedMultiplyAdd(v, b1, c21);
                    v = Vector256.Create(x3[i]);
                    c30 = Vector256.FusedMultiplyAdd(v, b0, c30);
                    c31 = Vector256.FusedMultiplyAdd(v, b1, c31);
                    v = Vector256.Create(x4[i]);
                    c40 = Vector256.FusedMultiplyAdd(v, b0, c40);
                    c41 = Vector256.FusedMultiplyAdd(v, b1, c41);
                    v = Vector256.Create(x5[i]);
                    c50 = Vector256.FusedMultiplyAdd(v, b0, c50);
                    c51 = Vector256.FusedMultiplyAdd(v, b1, c51);
                    g += dyStride;
                }
            }
        }

        Vector256.Store(Vector256.Load(y[0] + column) + c00, y[0] + column);
        Vector256.Store(Vector256.Load(y[0] + column + 8) + c01, y[0] + column + 8);
        Vector256.Store(Vector256.Load(y[1] + column) + c10, y[1] + column);
        Vector256.Store(Vector256.Load(y[1] + column + 8) + c11, y[1] + column + 8);
        Vector256.Store(Vector256.Load(y[2] + column) + c20, y[2] + column);
        Vector256.Store(Vector256.Load(y[2] + column + 8) + c21, y[2] + column + 8);
        Vector256.Store(Vector256.Load(y[3] + column) + c30, y[3] + column);
        Vector256.Store(Vector256.Load(y[3] + column + 8) + c31, y[3] + column + 8);
        Vector256.Store(Vector256.Load(y[4] + column) + c40, y[4] + column);
        Vector256.Store(Vector256.Load(y[4] + column + 8) + c41, y[4] + column + 8);
        Vector256.Store(Vector256.Load(y[5] + column) + c50, y[5] + column);
        Vector256.Store(Vector256.Load(y[5] + column + 8) + c51, y[5] + column + 8);
    }

    /// <summary>
    /// c[m][j] = sum over k of a[k][m] b[k][j] for packed panels [depth][6] and [depth][16]; with <paramref name="add"/> plus c[m][j].
    /// </summary>
    public static void Product6x16(float* a, float* b, int depth, float* c, bool add)
    {
        Vector256<float> c00 = Vector256<float>.Zero, c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00, c40 = c00, c41 = c00;
        Vector256<float> c50 = c00, c51 = c00;
        for (float* end = a + ((nint)depth * NarrowRows); a < end; a += NarrowRows, b += NarrowColumns)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Vector256<float> v = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(v, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(v, b1, c01);
            v = Vector256.Create(a[1]);
            c10 = Vector256.FusedMultiplyAdd(v, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(v, b1, c11);
            v = Vector256.Create(a[2]);
            c20 = Vector256.FusedMultiplyAdd(v, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(v, b1, c21);
            v = Vector256.Create(a[3]);
            c30 = Vector256.FusedMultiplyAdd(v, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(v, b1, c31);
            v = Vector256.Create(a[4]);
            c40 = Vector256.FusedMultiplyAdd(v, b0, c40);
            c41 = Vector256.FusedMultiplyAdd(v, b1, c41);
            v = Vector256.Create(a[5]);
            c50 = Vector256.FusedMultiplyAdd(v, b0, c50);
            c51 = Vector256.FusedMultiplyAdd(v, b1, c51);
        }

        if (add)
        {
            c00 += Vector256.Load(c);
            c01 += Vector256.Load(c + 8);
            c10 += Vector256.Load(c + NarrowColumns);
            c11 += Vector256.Load(c + NarrowColumns + 8);
            c20 += Vector256.Load(c + (2 * NarrowColumns));
            c21 += Vector256.Load(c + (2 * NarrowColumns) + 8);
            c30 += Vector256.Load(c + (3 * NarrowColumns));
            c31 += Vector256.Load(c + (3 * NarrowColumns) + 8);
            c40 += Vector256.Load(c + (4 * NarrowColumns));
            c41 += Vector256.Load(c + (4 * NarrowColumns) + 8);
            c50 += Vector256.Load(c + (5 * NarrowColumns));
            c51 += Vector256.Load(c + (5 * NarrowColumns) + 8);
        }

        Vector256.Store(c00, c);
        Vector256.Store(c01, c + 8);
        Vector256.Store(c10, c + NarrowColumns);
        Vector256.Store(c11, c + NarrowColumns + 8);
        Vector256.Store(c20, c + (2 * NarrowColumns));
        Vector256.Store(c21, c + (2 * NarrowColumns) + 8);
        Vector256.Store(c30, c + (3 * NarrowColumns));
        Vector256.Store(c31, c + (3 * NarrowColumns) + 8);
        Vector256.Store(c40, c + (4 * NarrowColumns));
        Vector256.Store(c41, c + (4 * NarrowColumns) + 8);
        Vector256.Store(c50, c + (5 * NarrowColumns));
        Vector256.Store(c51, c + (5 * NarrowColumns) + 8);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void OuterProduct1(in GradientImages images, float* x, float* dy, float* y, int columns)
    {
        nint xStride = images.PixelStride, dyStride = images.GradientPixelStride;
        int j = 0;
        for (; j + 16 <= columns; j += 16)
        {
            // Four sums take turns, so that the loop does not wait for one addition after another.
            Vector512<float> sum0 = Vector512<float>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
            for (int row = 0; row < images.Count * images.Rows; row++)
            {
                int image = row / images.Rows, imageRow = row % images.Rows;
                float* p = x + (image * images.ImageStride) + (imageRow * images.RowStride);
                float* g = dy + (image * images.GradientImageStride) + (imageRow * images.GradientRowStride) + j;
                int i = 0;
                for (; i + 4 <= images.Columns; i += 4, p += 4 * xStride, g += 4 * dyStride)
                {
                    sum0 = Vector512.FusedMultiplyAdd(Vector512.Create(*p), Vector512.Load(g), sum0);
                    sum1 = Vector512.FusedMultiplyAdd(Vector512.Create(*(p + xStride)), Vector512.Load(g + dyStride), sum1);
                    sum2 = Vector512.FusedMultiplyAdd(Vector512.Create(*(p + (2 * xStride))), Vector512.Load(g + (2 * dyStride)), sum2);
                    sum3 = Vector512.FusedMultiplyAdd(Vector512.Create(*(p + (3 * xStride))), Vector512.Load(g + (3 * dyStride)), sum3);
                }

                for (; i < images.Columns; i++, p += xStride, g += dyStride)
                {
                    sum0 = Vector512.FusedMultiplyAdd(Vector512.Create(*p), Vector512.Load(g), sum0);
                }
            }

            Vector512.Store(Vector512.Load(y + j) + (sum0 + sum1) + (sum2 + sum3), y + j);
        }

        for (; j < columns; j++)
        {
            float sum = 0;
            for (int row = 0; row < images.Count * images.Rows; row++)
            {
                int image = row / images.Rows, imageRow = row % images.Rows;
                float* p = x + (image * images.ImageStride) + (imageRow * images.RowStride);
                float* g = dy + (image * images.GradientImageStride) + (imageRow * images.GradientRowStride) + j;
                for (int i = 0; i < images.Columns; i++, p += xStride, g += dyStride)
                {
                    sum += *p * *g;
                }
            }

            y[j] += sum;
        }
    }
}
