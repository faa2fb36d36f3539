using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

// 256-bit vectors: 6 pixels of 16 channels, sums in 12 of the 16 registers.
internal static unsafe partial class RegisterTile
{
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
}
