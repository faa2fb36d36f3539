using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

// Convolutions that are matrix products: filters of 1 x 1, and filters that cover their image.
internal sealed unsafe partial class CpuDevice
{
    // A depth slice of a panel (64 KB) and the rows that pass over it stay in the L2 cache.
    private const int ProductDepth = 512;
    private const int ProductRows = 64;

    // Pixels that a matrix product's gradient sums in registers: their channels are first copied side by side, since whole pixels lie far apart.
    private const int ProductPixels = 256;
    private const int ProductChannels = 128;

    // Rows a power of two apart would evict one another from the first cache.
    private const int NarrowProductStride = ProductChannels + 16;

    private static bool IsProduct(in Conv2dGeometry g) => g is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };

    /// <summary>A filter that covers its unpadded image is a 1x1 filter on one pixel whose channels are all the image's values.</summary>
    private static Conv2dGeometry Collapse(in Conv2dGeometry g) => g.Padding == 0 && g.KernelHeight == g.Height && g.KernelWidth == g.Width
        ? new Conv2dGeometry(g.Batch, 1, 1, g.Height * g.Width * g.InChannels, g.OutChannels, 1, 1, 1, 0)
        : g;

    /// <summary>y[m][n] = a[m][k] b[k][n] + bias[n], b packed in panels.</summary>
    private void MatrixProduct(int m, int n, int k, float* a, float* panels, float* bias, float* y) =>
        pool.For((m + ProductRows - 1) / ProductRows * ((n + RegisterTile.Columns - 1) / RegisterTile.Columns), new ProductJob
        {
            M = m,
            N = n,
            K = k,
            A = a,
            Panels = panels,
            Bias = bias,
            Y = y
        });

    private struct PackTransposedJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public float* Filters, Panels;

        public readonly void Run(int index, int worker)
        {
            int n = index * RegisterTile.Columns, columns = Math.Min(RegisterTile.Columns, Geometry.InChannels - n);
            float* to = Panels + ((nint)n * Geometry.OutChannels);
            for (int o = 0; o < Geometry.OutChannels; o++, to += RegisterTile.Columns)
            {
                new ReadOnlySpan<float>(Filters + ((nint)o * Geometry.InChannels) + n, columns).CopyTo(new Span<float>(to, columns));
                new Span<float>(to + columns, RegisterTile.Columns - columns).Clear();
            }
        }
    }

    private struct ProductJob : IParallelJob
    {
        public int M, N, K;
        public float* A, Panels, Bias, Y;

        public readonly void Run(int index, int worker)
        {
            int blocks = (N + RegisterTile.Columns - 1) / RegisterTile.Columns;
            int n = index % blocks * RegisterTile.Columns, first = index / blocks * ProductRows, end = Math.Min(M, first + ProductRows);
            int columns = Math.Min(RegisterTile.Columns, N - n), offset = 0;
            float* panel = Panels + ((nint)n * K);
            for (int k = 0; k < K; k += ProductDepth)
            {
                for (int m = first; m < end; m += RegisterTile.Rows)
                {
                    RegisterTile.Multiply(A + ((nint)m * K) + k, K, &offset, 1, Math.Min(ProductDepth, K - k), panel + ((nint)k * RegisterTile.Columns),
                        Bias == null ? null : Bias + n, k > 0, false, Y + ((nint)m * N) + n, N, Math.Min(RegisterTile.Rows, end - m), columns);
                }
            }
        }
    }

    private struct ProductGradientJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public float* X, Dy, Packed, Sums;

        public readonly void Run(int index, int worker)
        {
            int inChannels = Geometry.InChannels, outChannels = Geometry.OutChannels, pixels = Geometry.Batch * Geometry.Height * Geometry.Width;
            int first = index * ProductChannels, channels = Math.Min(ProductChannels, inChannels - first);
            float* packed = Packed + ((nint)worker * ProductPixels * NarrowProductStride);
            bool narrow = !Vector512.IsHardwareAccelerated && outChannels % RegisterTile.NarrowColumns == 0;
            float* sums = Sums + ((nint)first * outChannels);
            new Span<float>(sums, channels * outChannels).Clear();
            for (int pixel = 0; pixel < pixels; pixel += ProductPixels)
            {
                int count = Math.Min(ProductPixels, pixels - pixel), stride = narrow ? NarrowProductStride : ProductChannels;
                for (int i = 0; i < count; i++)
                {
                    var from = new ReadOnlySpan<float>(X + ((nint)(pixel + i) * inChannels) + first, channels);
                    from.CopyTo(new Span<float>(packed + (i * stride), channels));
                }

                if (narrow)
                {
                    for (int done = 0; done < count; done += NarrowPixels)
                    {
                        AddNarrow(Math.Min(NarrowPixels, count - done), packed + (done * stride), channels, Dy + ((nint)(pixel + done) * outChannels), sums);
                    }

                    continue;
                }

                var layout = GradientImages.Matrices(count, stride, outChannels);
                for (int o = 0; o < outChannels; o += RegisterTile.Columns)
                {
                    float* dy = Dy + ((nint)pixel * outChannels) + o;
                    int columns = Math.Min(RegisterTile.Columns, outChannels - o);
                    for (int c = 0; c < channels; c += RegisterTile.Rows)
                    {
                        int rows = Math.Min(RegisterTile.Rows, channels - c);
                        RegisterTile.OuterProduct(layout, packed + c, dy, sums + ((nint)c * outChannels) + o, outChannels, rows, columns);
                    }
                }
            }
        }

        private readonly void AddNarrow(int pixels, float* packed, int channels, float* dy, float* sums)
        {
            float* panel = stackalloc float[NarrowPixels * RegisterTile.NarrowColumns];
            float* unused = stackalloc float[RegisterTile.NarrowColumns];
            float** x = stackalloc float*[RegisterTile.NarrowRows], y = stackalloc float*[RegisterTile.NarrowRows];
            for (int o = 0; o < Geometry.OutChannels; o += RegisterTile.NarrowColumns)
            {
                GradientImages layout = GradientImages.Matrices(pixels, NarrowProductStride, Geometry.OutChannels).PackGradients(dy + o, panel);
                for (int c = 0; c < channels; c += RegisterTile.NarrowRows)
                {
                    for (int m = 0; m < RegisterTile.NarrowRows; m++)
                    {
                        x[m] = packed + Math.Min(c + m, channels - 1);
                        y[m] = c + m < channels ? sums + ((nint)(c + m) * Geometry.OutChannels) + o : unused;
                    }

                    RegisterTile.OuterProduct6x16(layout, x, panel, y, 0);
                }
            }
        }
    }
}
