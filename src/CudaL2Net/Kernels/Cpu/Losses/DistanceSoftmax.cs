namespace CudaL2Net.Kernels.Cpu;

// L2-Net's E1 = -1/2 sum_i (log s^c_ii + log s^r_ii), equations 4 to 6, s the column and row softmax of 2 - d_ij, d_ij = |y2_i - y1_j| (the 2 cancels).
// d comes from inner products, again from the differences where those lose digits. With h_ij = (dE1/dd_ij) / d_ij (0 where d is 0) the gradient is
//   dy2_i = (sum_j h_ij) y2_i - sum_j h_ij y1_j,   dy1_j = (sum_i h_ij) y1_j - sum_i h_ij y2_i:
// three p x p x q products in all. h replaces d in one p x p matrix. The pairs' own terms h_ii (y2_i - y1_i), with small distances and so large h,
// are taken from the differences.
internal sealed unsafe partial class CpuDevice
{
    public void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        float* first = descriptors.Pointer, second = first + ((long)pairs * width);
        float* dFirst = gradient.Pointer, dSecond = dFirst + ((long)pairs * width);
        float* matrix = Scratch(2, (nuint)pairs * (nuint)pairs);
        MultiplyRows(new MatrixOperand(second, width, 1), pairs, new MatrixOperand(first, width, 1), pairs, width, matrix, pairs);
        float* squares = Scratch(3, 2 * (nuint)pairs);
        for (int row = 0; row < 2 * pairs; row++)
        {
            squares[row] = Vectors.Dot(first + ((long)row * width), first + ((long)row * width), width);
        }

        ForChunks(pairs, 1, new DistanceBody { Matrix = matrix, Pairs = pairs, Width = width, First = first, Second = second, Squares = squares });
        *loss.Pointer = (float)(weight * PairSoftmax(matrix, pairs, -1, weight, perValue: true));
        float* diagonal = Scratch(3, (nuint)pairs);
        for (int i = 0; i < pairs; i++)
        {
            diagonal[i] = matrix[((long)i * pairs) + i];
            matrix[((long)i * pairs) + i] = 0;
        }

        MultiplyRows(new MatrixOperand(matrix, pairs, 1), pairs, new MatrixOperand(first, 1, width), width, pairs, dSecond, width);
        MultiplyRows(new MatrixOperand(matrix, 1, pairs), pairs, new MatrixOperand(second, 1, width), width, pairs, dFirst, width);
        var body = new DistanceGradientBody { Matrix = matrix, Diagonal = diagonal, Pairs = pairs, Width = width, Descriptors = first, Gradient = dFirst };
        ForChunks(pairs, RowChunk, body);
    }

    /// <summary>Turns inner products into distances, row by row.</summary>
    private struct DistanceBody : IChunkBody
    {
        public float* Matrix;
        public int Pairs;
        public int Width;
        public float* First;
        public float* Second;
        public float* Squares;

        public readonly void Run(int start, int end)
        {
            for (int i = start; i < end; i++)
            {
                float* row = Matrix + ((long)i * Pairs);
                for (int j = 0; j < Pairs; j++)
                {
                    float sum = Squares[j] + Squares[Pairs + i];
                    float squared = sum - (2 * row[j]);
                    if (squared < CancellationShare * sum)
                    {
                        squared = Vectors.SquaredDistance(Second + ((long)i * Width), First + ((long)j * Width), Width);
                    }

                    row[j] = MathF.Sqrt(squared);
                }
            }
        }
    }

    /// <summary>gradient = (sum of the row's or column's h) y - gradient, and then the pair's own term.</summary>
    private struct DistanceGradientBody : IChunkBody
    {
        public float* Matrix;
        public float* Diagonal;
        public int Pairs;
        public int Width;
        public float* Descriptors;
        public float* Gradient;

        public readonly void Run(int start, int end)
        {
            for (int pair = start; pair < end; pair++)
            {
                long first = (long)pair * Width, second = (long)(Pairs + pair) * Width;
                float column = Sum(Matrix + pair, Pairs), row = Sum(Matrix + ((long)pair * Pairs), 1);
                Vectors.Combine(column, Descriptors + first, -1, Gradient + first, Gradient + first, Width);
                Vectors.Combine(row, Descriptors + second, -1, Gradient + second, Gradient + second, Width);
                Vectors.AddScaledDifference(Diagonal[pair], Descriptors + second, Descriptors + first, Gradient + second, Gradient + first, Width);
            }
        }

        private readonly float Sum(float* h, nint stride)
        {
            double sum = 0;
            for (int k = 0; k < Pairs; k++)
            {
                sum += h[k * stride];
            }

            return (float)sum;
        }
    }
}
