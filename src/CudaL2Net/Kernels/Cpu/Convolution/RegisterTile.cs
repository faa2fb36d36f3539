using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// The innermost loops of convolutions and matrix products: sums of a tile of pixels x channels held in registers. Pixels are broadcast from memory, channels
/// come from a packed panel as wide as the tile. With 512-bit vectors a tile is 8 x 32: a step of k costs 10 loads and 16 fused multiply-adds. With 256-bit
/// vectors it is 6 x 16, 12 of the 16 registers, for 8 loads and 12 multiply-adds; its pixels may lie anywhere, so that tiles need not end where an image's
/// rows do.
/// </summary>
[SkipLocalsInit]
internal static unsafe partial class RegisterTile
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
