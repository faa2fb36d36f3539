namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// The softmax loss over the rows and columns of a p x p matrix m whose diagonal holds the pairs, with z = factor m:
/// L = -1/2 sum_i (log softmax_row(z)_ii + log softmax_column(z)_ii), dL/dz_ij = 1/2 (row_ij + column_ij) - [i = j].
/// Each row's and column's maximum is subtracted first, so nothing overflows; sums are in double.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    private const int SoftmaxColumns = 16;

    /// <summary>Returns the loss and replaces m by weight x dL/dm, divided by m where <paramref name="perValue"/> is set (0 where m is 0).</summary>
    private double PairSoftmax(float* matrix, int pairs, float factor, float weight, bool perValue)
    {
        float* statistics = Scratch(3, 4 * (nuint)pairs);
        var job = new SoftmaxStatisticsJob
        {
            Matrix = matrix,
            Pairs = pairs,
            Factor = factor,
            RowMaximum = statistics,
            RowSum = statistics + pairs,
            ColumnMaximum = statistics + (2L * pairs),
            ColumnSum = statistics + (3L * pairs),
        };
        pool.For(pairs + InnerProducts.Panels(pairs, SoftmaxColumns), job);
        double total = 0;
        for (int i = 0; i < pairs; i++)
        {
            double z = factor * matrix[((long)i * pairs) + i];
            total += job.RowMaximum[i] - z + Math.Log(job.RowSum[i]) + (job.ColumnMaximum[i] - z + Math.Log(job.ColumnSum[i]));
        }

        ForChunks(pairs, 1, new SoftmaxGradientBody { Statistics = job, Weight = weight * factor, PerValue = perValue });
        return total / 2;
    }

    /// <summary>Items 0 to p - 1 are the rows, then come the blocks of columns.</summary>
    private struct SoftmaxStatisticsJob : IParallelJob
    {
        public float* Matrix;
        public int Pairs;
        public float Factor;
        public float* RowMaximum;
        public float* RowSum;
        public float* ColumnMaximum;
        public float* ColumnSum;

        public readonly void Run(int index, int worker)
        {
            if (index < Pairs)
            {
                Row(index);
            }
            else
            {
                int first = (index - Pairs) * SoftmaxColumns;
                Columns(first, Math.Min(SoftmaxColumns, Pairs - first));
            }
        }

        private readonly void Row(int row)
        {
            float* m = Matrix + ((long)row * Pairs);
            float maximum = float.NegativeInfinity;
            for (int j = 0; j < Pairs; j++)
            {
                maximum = MathF.Max(maximum, Factor * m[j]);
            }

            double sum = 0;
            for (int j = 0; j < Pairs; j++)
            {
                sum += MathF.Exp((Factor * m[j]) - maximum);
            }

            RowMaximum[row] = maximum;
            RowSum[row] = (float)sum;
        }

        private readonly void Columns(int first, int count)
        {
            Span<float> maximum = stackalloc float[SoftmaxColumns];
            Span<double> sum = stackalloc double[SoftmaxColumns];
            maximum.Fill(float.NegativeInfinity);
            sum.Clear();
            for (int i = 0; i < Pairs; i++)
            {
                float* m = Matrix + ((long)i * Pairs) + first;
                for (int c = 0; c < count; c++)
                {
                    maximum[c] = MathF.Max(maximum[c], Factor * m[c]);
                }
            }

            for (int i = 0; i < Pairs; i++)
            {
                float* m = Matrix + ((long)i * Pairs) + first;
                for (int c = 0; c < count; c++)
                {
                    sum[c] += MathF.Exp((Factor * m[c]) - maximum[c]);
                }
            }

            for (int c = 0; c < count; c++)
            {
                ColumnMaximum[first + c] = maximum[c];
                ColumnSum[first + c] = (float)sum[c];
            }
        }
    }

    private struct SoftmaxGradientBody : IChunkBody
    {
        public SoftmaxStatisticsJob Statistics;
        public float Weight;
        public bool PerValue;

        public readonly void Run(int start, int end)
        {
            int pairs = Statistics.Pairs;
            for (int i = start; i < end; i++)
            {
                float* m = Statistics.Matrix + ((long)i * pairs);
                float rowMaximum = Statistics.RowMaximum[i], rowSum = Statistics.RowSum[i];
                for (int j = 0; j < pairs; j++)
                {
                    float z = Statistics.Factor * m[j];
                    float row = MathF.Exp(z - rowMaximum) / rowSum;
                    float column = MathF.Exp(z - Statistics.ColumnMaximum[j]) / Statistics.ColumnSum[j];
                    float slope = Weight * ((0.5f * (row + column)) - (i == j ? 1 : 0));
                    m[j] = !PerValue ? slope : m[j] == 0 ? 0 : slope / m[j];
                }
            }
        }
    }
}
