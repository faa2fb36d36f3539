namespace CudaL2Net.Kernels.Cpu;

// y = r x, r = 1 / sqrt(|x|^2 + 1e-10), for each row of [n][d]; dx = r dy - r^3 (x . dy) x. Bound by memory: a row stays in the first cache between
// the reduction and the scaling.
internal sealed unsafe partial class CpuDevice
{
    private const float UnitVectorEpsilon = 1e-10f;
    private const int RowChunk = 32;

    public void UnitVectorForward(Tensor<float> x, Tensor<float> y)
    {
        int rows = x.Shape[0];
        ForChunks(rows, RowChunk, new UnitVectorForwardBody { Width = rows == 0 ? 0 : x.Length / rows, X = x.Pointer, Y = y.Pointer });
    }

    public void UnitVectorBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        int rows = x.Shape[0];
        ForChunks(rows, RowChunk, new UnitVectorBackwardBody { Width = rows == 0 ? 0 : x.Length / rows, X = x.Pointer, Dy = dy.Pointer, Dx = dx.Pointer });
    }

    private static void UnitVectorRow(float* x, float* y, int width)
    {
        float r = 1 / MathF.Sqrt(Vectors.Dot(x, x, width) + UnitVectorEpsilon);
        Vectors.Combine(r, x, 0, x, y, width);
    }

    private struct UnitVectorForwardBody : IChunkBody
    {
        public int Width;
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                UnitVectorRow(X + ((long)row * Width), Y + ((long)row * Width), Width);
            }
        }
    }

    private struct UnitVectorBackwardBody : IChunkBody
    {
        public int Width;
        public float* X;
        public float* Dy;
        public float* Dx;

        public readonly void Run(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                long offset = (long)row * Width;
                float* x = X + offset;
                float* dy = Dy + offset;
                float r = 1 / MathF.Sqrt(Vectors.Dot(x, x, Width) + UnitVectorEpsilon);
                float along = r * r * Vectors.Dot(x, dy, Width);
                Vectors.Combine(r, dy, -r * along, x, Dx + offset, Width);
            }
        }
    }
}
