namespace CudaL2Net.Kernels.Cpu;

// Sums over the rows of [n][d] and over all of a tensor, and rows scaled by factors. Bound by memory. What a thread sums does not depend on the number of
// threads: whole rows, or chunks of a fixed size.
internal sealed unsafe partial class CpuDevice
{
    public void RowDots(Tensor<float> x, Tensor<float>? y, Tensor<float> sums)
    {
        (int rows, int width) = RowShape(x);
        ForChunks(rows, RowChunk, new RowDotsBody { X = x.Pointer, Y = y == null ? null : y.Pointer, Sums = sums.Pointer, Width = width });
    }

    public void ScaleRows(Tensor<float> factors, Tensor<float>? x, Tensor<float> y)
    {
        (int rows, int width) = RowShape(y);
        ForChunks(rows, RowChunk, new ScaleRowsBody { Factors = factors.Pointer, X = x == null ? null : x.Pointer, Y = y.Pointer, Width = width });
    }

    public void Mean(float weight, Tensor<float> x, Tensor<float> mean)
    {
        int chunks = (int)(((long)x.Length + ElementChunk - 1) / ElementChunk);
        var sums = (double*)Scratch(0, 2 * (nuint)chunks);
        ForChunks(x.Length, ElementChunk, new ChunkSumsBody { X = x.Pointer, Sums = sums });
        double sum = 0;
        for (int i = 0; i < chunks; i++)
        {
            sum += sums[i];
        }

        *mean.Pointer = (float)(weight * (sum / x.Length));
    }

    private struct RowDotsBody : IChunkBody
    {
        public float* X;
        public float* Y;
        public float* Sums;
        public int Width;

        public readonly void Run(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                long offset = (long)row * Width;
                Sums[row] = Y == null ? Vectors.Sum(X + offset, Width) : Vectors.Dot(X + offset, Y + offset, Width);
            }
        }
    }

    private struct ScaleRowsBody : IChunkBody
    {
        public float* Factors;
        public float* X;
        public float* Y;
        public int Width;

        public readonly void Run(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                long offset = (long)row * Width;
                if (X == null)
                {
                    new Span<float>(Y + offset, Width).Fill(Factors[row]);
                }
                else
                {
                    Vectors.Scale(Factors[row], X + offset, Y + offset, Width);
                }
            }
        }
    }

    private struct ChunkSumsBody : IChunkBody
    {
        public float* X;
        public double* Sums;

        public readonly void Run(int start, int end)
        {
            double sum = 0;
            for (int i = start; i < end; i++)
            {
                sum += X[i];
            }

            Sums[start / ElementChunk] = sum;
        }
    }
}
