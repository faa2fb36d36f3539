using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

// 512-bit vectors: 8 pixels of 32 channels, sums in 16 of the 32 registers.
internal static unsafe partial class RegisterTile
{
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
}
