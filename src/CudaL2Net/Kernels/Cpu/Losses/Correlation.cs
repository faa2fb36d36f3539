namespace CudaL2Net.Kernels.Cpu;

// L2-Net's E2 = 1/2 sum over the halves and i != j of r_ij^2, equations 6 and 7; R = Y' Y / p for features y of [p][q] that batch normalization has just
// normalized, or in full with each dimension's mean removed and its deviation divided out (yhat in place of y; a constant dimension counts 0).
// dy = (2 / p) yhat R, the diagonal of R set to 0; in full then through the normalization: (dyhat - mean dyhat - yhat mean(dyhat yhat)) / deviation.
// Two q x q x p products per half; the rest is O(p q).
internal sealed unsafe partial class CpuDevice
{
    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        double total = 0;
        for (int half = 0; half < 2; half++)
        {
            long offset = (long)half * pairs * width;
            if (half == 1 && options.FirstHalfOnly)
            {
                new Span<float>(gradient.Pointer + offset, pairs * width).Clear();
                break;
            }

            total += HalfCorrelation(options.Exact, weight, pairs, width, features.Pointer + offset, gradient.Pointer + offset);
        }

        *loss.Pointer = (float)(weight * total);
    }

    private double HalfCorrelation(bool exact, float weight, int pairs, int width, float* y, float* dy)
    {
        float* correlation = Scratch(2, (nuint)width * (nuint)width);
        float* normalized = y;
        float* inverseDeviation = null;
        if (exact)
        {
            normalized = Scratch(3, ((nuint)pairs * (nuint)width) + (nuint)width);
            inverseDeviation = normalized + ((long)pairs * width);
            ForChunks(width, RowChunk, new NormalizeBody { Pairs = pairs, Width = width, Y = y, Normalized = normalized, InverseDeviation = inverseDeviation });
        }

        var dimensions = new MatrixOperand(normalized, 1, width);
        MultiplyRows(dimensions, width, dimensions, width, pairs, correlation, width);
        double total = 0;
        float factor = (float)(2.0 * weight / ((double)pairs * pairs));
        for (int i = 0; i < width; i++)
        {
            float* row = correlation + ((long)i * width);
            row[i] = 0;
            for (int j = 0; j < width; j++)
            {
                double r = (double)row[j] / pairs;
                total += r * r;
                row[j] *= factor;
            }
        }

        // R is symmetric, so its rows serve as columns.
        MultiplyRows(new MatrixOperand(normalized, width, 1), pairs, new MatrixOperand(correlation, width, 1), width, width, dy, width);
        if (exact)
        {
            var body = new NormalizeGradientBody { Pairs = pairs, Width = width, Normalized = normalized, InverseDeviation = inverseDeviation, Gradient = dy };
            ForChunks(width, RowChunk, body);
        }

        return total / 2;
    }

    private struct NormalizeBody : IChunkBody
    {
        public int Pairs;
        public int Width;
        public float* Y;
        public float* Normalized;
        public float* InverseDeviation;

        public readonly void Run(int start, int end)
        {
            for (int column = start; column < end; column++)
            {
                double mean = 0, square = 0;
                for (int i = 0; i < Pairs; i++)
                {
                    mean += Y[((long)i * Width) + column];
                }

                mean /= Pairs;
                for (int i = 0; i < Pairs; i++)
                {
                    double d = Y[((long)i * Width) + column] - mean;
                    square += d * d;
                }

                double inverse = square > 0 ? 1 / Math.Sqrt(square / Pairs) : 0;
                InverseDeviation[column] = (float)inverse;
                for (int i = 0; i < Pairs; i++)
                {
                    Normalized[((long)i * Width) + column] = (float)((Y[((long)i * Width) + column] - mean) * inverse);
                }
            }
        }
    }

    private struct NormalizeGradientBody : IChunkBody
    {
        public int Pairs;
        public int Width;
        public float* Normalized;
        public float* InverseDeviation;
        public float* Gradient;

        public readonly void Run(int start, int end)
        {
            for (int column = start; column < end; column++)
            {
                double mean = 0, along = 0;
                for (int i = 0; i < Pairs; i++)
                {
                    long at = ((long)i * Width) + column;
                    mean += Gradient[at];
                    along += (double)Gradient[at] * Normalized[at];
                }

                mean /= Pairs;
                along /= Pairs;
                for (int i = 0; i < Pairs; i++)
                {
                    long at = ((long)i * Width) + column;
                    Gradient[at] = (float)((Gradient[at] - mean - (along * Normalized[at])) * InverseDeviation[column]);
                }
            }
        }
    }
}
