using System.Runtime.Intrinsics;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

/// <summary>
/// Batch normalization over all pixels of a side. Sums are taken in blocks of rows that stay in cache (mean first, then squares about it), and the
/// blocks are joined in double precision and in order (Chan et al.), so no digits are lost over a million values and threads do not matter.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    private const int StatisticsScratch = 3;
    private const int BlockRows = 1024;

    public void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        int channels = x.Shape[^1], rows = x.Length / channels / options.Sides;
        int blocks = (rows + BlockRows - 1) / BlockRows;
        float* sums = Scratch(StatisticsScratch, (nuint)(2 * options.Sides * blocks * channels));
        pool.For(options.Sides * blocks, new MomentsJob { Channels = channels, Rows = rows, Blocks = blocks, X = x.Pointer, Sums = sums });
        for (int side = 0; side < options.Sides; side++)
        {
            for (int c = 0; c < channels; c++)
            {
                double count = 0, sideMean = 0, squares = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* moments = sums + ((nint)2 * ((side * blocks) + block) * channels);
                    double added = Math.Min(BlockRows, rows - (block * BlockRows)), delta = moments[c] - sideMean, total = count + added;
                    squares += moments[channels + c] + (delta * delta * count * added / total);
                    sideMean += delta * added / total;
                    count = total;
                }

                mean.Pointer[(side * channels) + c] = (float)sideMean;
                inverseDeviation.Pointer[(side * channels) + c] = (float)(1 / Math.Sqrt((squares / rows) + options.Epsilon));
                runningMean.Pointer[c] += options.Momentum * ((float)sideMean - runningMean.Pointer[c]);
                runningVariance.Pointer[c] += options.Momentum * ((float)(squares / Math.Max(1, rows - 1)) - runningVariance.Pointer[c]);
            }
        }

        pool.For(options.Sides * blocks, new NormalizeJob
        {
            Channels = channels,
            Rows = rows,
            Blocks = blocks,
            Relu = options.Relu,
            X = x.Pointer,
            Scale = scale == null ? null : scale.Pointer,
            Shift = shift == null ? null : shift.Pointer,
            Mean = mean.Pointer,
            InverseDeviation = inverseDeviation.Pointer,
            Y = y.Pointer,
        });
    }

    public void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        int channels = x.Shape[^1], rows = x.Length / channels / options.Sides;
        int blocks = (rows + BlockRows - 1) / BlockRows;
        float* sums = Scratch(StatisticsScratch, (nuint)(2 * options.Sides * (blocks + 1) * channels));
        float* means = sums + ((nint)2 * options.Sides * blocks * channels);
        var job = new GradientJob
        {
            Channels = channels,
            Rows = rows,
            Blocks = blocks,
            Relu = options.Relu,
            X = x.Pointer,
            Scale = scale == null ? null : scale.Pointer,
            Shift = shift == null ? null : shift.Pointer,
            Mean = mean.Pointer,
            InverseDeviation = inverseDeviation.Pointer,
            Dy = dy.Pointer,
            Dx = dx.Pointer,
            Sums = sums,
            Means = means,
        };
        pool.For(options.Sides * blocks, job);
        dScale?.Clear();
        dShift?.Clear();
        for (int side = 0; side < options.Sides; side++)
        {
            for (int c = 0; c < channels; c++)
            {
                double sum = 0, product = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* partial = sums + ((nint)2 * ((side * blocks) + block) * channels);
                    sum += partial[c];
                    product += partial[channels + c];
                }

                means[(2 * side * channels) + c] = (float)(sum / rows);
                means[(((2 * side) + 1) * channels) + c] = (float)(product / rows);
                if (dShift != null)
                {
                    dShift.Pointer[c] += (float)sum;
                }

                if (dScale != null)
                {
                    dScale.Pointer[c] += (float)product;
                }
            }
        }

        job.Finish = true;
        pool.For(options.Sides * blocks, job);
    }

    /// <summary>Of each block and channel the mean and the sum of squares about it.</summary>
    private struct MomentsJob : IParallelJob
    {
        public int Channels, Rows, Blocks;
        public float* X, Sums;

        public readonly void Run(int index, int worker)
        {
            int side = index / Blocks, first = index % Blocks * BlockRows, rows = Math.Min(BlockRows, Rows - first);
            float* x = X + (((nint)side * Rows) + first) * Channels;
            float* mean = Sums + ((nint)2 * index * Channels);
            float* squares = mean + Channels;
            int c = 0;
            for (; c + 16 <= Channels; c += 16)
            {
                Vector512<float> sum0 = Vector512<float>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
                float* p = x + c;
                int row = 0;
                for (; row + 4 <= rows; row += 4, p += 4 * Channels)
                {
                    sum0 += Vector512.Load(p);
                    sum1 += Vector512.Load(p + Channels);
                    sum2 += Vector512.Load(p + (2 * Channels));
                    sum3 += Vector512.Load(p + (3 * Channels));
                }

                for (; row < rows; row++, p += Channels)
                {
                    sum0 += Vector512.Load(p);
                }

                Vector512<float> m = ((sum0 + sum1) + (sum2 + sum3)) / Vector512.Create((float)rows);
                sum0 = sum1 = sum2 = sum3 = Vector512<float>.Zero;
                p = x + c;
                row = 0;
                for (; row + 4 <= rows; row += 4, p += 4 * Channels)
                {
                    Vector512<float> d0 = Vector512.Load(p) - m, d1 = Vector512.Load(p + Channels) - m;
                    Vector512<float> d2 = Vector512.Load(p + (2 * Channels)) - m, d3 = Vector512.Load(p + (3 * Channels)) - m;
                    sum0 = Vector512.FusedMultiplyAdd(d0, d0, sum0);
                    sum1 = Vector512.FusedMultiplyAdd(d1, d1, sum1);
                    sum2 = Vector512.FusedMultiplyAdd(d2, d2, sum2);
                    sum3 = Vector512.FusedMultiplyAdd(d3, d3, sum3);
                }

                for (; row < rows; row++, p += Channels)
                {
                    Vector512<float> d = Vector512.Load(p) - m;
                    sum0 = Vector512.FusedMultiplyAdd(d, d, sum0);
                }

                Vector512.Store(m, mean + c);
                Vector512.Store((sum0 + sum1) + (sum2 + sum3), squares + c);
            }

            for (; c < Channels; c++)
            {
                double sum = 0, square = 0;
                for (int row = 0; row < rows; row++)
                {
                    sum += x[((nint)row * Channels) + c];
                }

                mean[c] = (float)(sum / rows);
                for (int row = 0; row < rows; row++)
                {
                    double d = x[((nint)row * Channels) + c] - mean[c];
                    square += d * d;
                }

                squares[c] = (float)square;
            }
        }
    }

    private struct NormalizeJob : IParallelJob
    {
        public int Channels, Rows, Blocks;
        public bool Relu;
        public float* X, Scale, Shift, Mean, InverseDeviation, Y;

        public readonly void Run(int index, int worker)
        {
            int side = index / Blocks, first = index % Blocks * BlockRows, rows = Math.Min(BlockRows, Rows - first);
            nint start = (((nint)side * Rows) + first) * Channels;
            float* mean = Mean + ((nint)side * Channels);
            float* inverse = InverseDeviation + ((nint)side * Channels);
            float floor = Relu ? 0 : float.NegativeInfinity;
            Vector512<float> vectorFloor = Vector512.Create(floor);
            int c = 0;
            for (; c + 16 <= Channels; c += 16)
            {
                Vector512<float> m = Vector512.Load(mean + c), f = Vector512.Load(inverse + c);
                f = Scale == null ? f : f * Vector512.Load(Scale + c);
                Vector512<float> b = Shift == null ? Vector512<float>.Zero : Vector512.Load(Shift + c);
                float* p = X + start + c;
                float* q = Y + start + c;
                for (int row = 0; row < rows; row++, p += Channels, q += Channels)
                {
                    Vector512.Store(Vector512.Max(Vector512.FusedMultiplyAdd(Vector512.Load(p) - m, f, b), vectorFloor), q);
                }
            }

            for (; c < Channels; c++)
            {
                float f = inverse[c] * (Scale == null ? 1 : Scale[c]), b = Shift == null ? 0 : Shift[c];
                for (int row = 0; row < rows; row++)
                {
                    nint at = start + ((nint)row * Channels) + c;
                    Y[at] = MathF.Max(((X[at] - mean[c]) * f) + b, floor);
                }
            }
        }
    }

    /// <summary>
    /// First the sums of g and g x-hat over each block (g: the gradient behind the ReLU), then dx = scale inverseDeviation (g - mean g - x-hat mean(g x-hat)).
    /// </summary>
    private struct GradientJob : IParallelJob
    {
        public int Channels, Rows, Blocks;
        public bool Relu, Finish;
        public float* X, Scale, Shift, Mean, InverseDeviation, Dy, Dx, Sums, Means;

        public readonly void Run(int index, int worker)
        {
            int side = index / Blocks, first = index % Blocks * BlockRows, rows = Math.Min(BlockRows, Rows - first);
            nint start = (((nint)side * Rows) + first) * Channels;
            int c = 0;
            for (; c + 16 <= Channels; c += 16)
            {
                if (Finish)
                {
                    FinishVector(side, start, rows, c);
                }
                else
                {
                    SumVector(index, side, start, rows, c);
                }
            }

            for (; c < Channels; c++)
            {
                RunChannel(index, side, start, rows, c);
            }
        }

        private readonly void SumVector(int index, int side, nint start, int rows, int c)
        {
            Vector512<float> m = Vector512.Load(Mean + (side * Channels) + c), f = Vector512.Load(InverseDeviation + (side * Channels) + c);
            Vector512<float> scale = Scale == null ? Vector512<float>.One : Vector512.Load(Scale + c);
            Vector512<float> shift = Shift == null ? Vector512<float>.Zero : Vector512.Load(Shift + c);
            Vector512<float> sum = Vector512<float>.Zero, product = sum, sum1 = sum, product1 = sum;
            float* p = X + start + c;
            float* q = Dy + start + c;
            int row = 0;
            for (; row + 2 <= rows; row += 2, p += 2 * Channels, q += 2 * Channels)
            {
                Vector512<float> normalized = (Vector512.Load(p) - m) * f, normalized1 = (Vector512.Load(p + Channels) - m) * f;
                Vector512<float> g = Masked(Vector512.Load(q), normalized, scale, shift), g1 = Masked(Vector512.Load(q + Channels), normalized1, scale, shift);
                sum += g;
                sum1 += g1;
                product = Vector512.FusedMultiplyAdd(g, normalized, product);
                product1 = Vector512.FusedMultiplyAdd(g1, normalized1, product1);
            }

            for (; row < rows; row++, p += Channels, q += Channels)
            {
                Vector512<float> normalized = (Vector512.Load(p) - m) * f;
                Vector512<float> g = Masked(Vector512.Load(q), normalized, scale, shift);
                sum += g;
                product = Vector512.FusedMultiplyAdd(g, normalized, product);
            }

            Vector512.Store(sum + sum1, Sums + ((nint)2 * index * Channels) + c);
            Vector512.Store(product + product1, Sums + ((((nint)2 * index) + 1) * Channels) + c);
        }

        private readonly void FinishVector(int side, nint start, int rows, int c)
        {
            Vector512<float> m = Vector512.Load(Mean + (side * Channels) + c), f = Vector512.Load(InverseDeviation + (side * Channels) + c);
            Vector512<float> scale = Scale == null ? Vector512<float>.One : Vector512.Load(Scale + c);
            Vector512<float> shift = Shift == null ? Vector512<float>.Zero : Vector512.Load(Shift + c);
            Vector512<float> meanG = Vector512.Load(Means + ((nint)2 * side * Channels) + c);
            Vector512<float> meanProduct = Vector512.Load(Means + ((((nint)2 * side) + 1) * Channels) + c);
            Vector512<float> factor = f * scale;
            float* p = X + start + c;
            float* q = Dy + start + c;
            float* d = Dx + start + c;
            for (int row = 0; row < rows; row++, p += Channels, q += Channels, d += Channels)
            {
                Vector512<float> normalized = (Vector512.Load(p) - m) * f;
                Vector512<float> g = Masked(Vector512.Load(q), normalized, scale, shift);
                Vector512.Store(factor * (g - meanG - (normalized * meanProduct)), d);
            }
        }

        private readonly Vector512<float> Masked(Vector512<float> g, Vector512<float> normalized, Vector512<float> scale, Vector512<float> shift) =>
            Relu ? g & Vector512.GreaterThan(Vector512.FusedMultiplyAdd(normalized, scale, shift), Vector512<float>.Zero) : g;

        private readonly void RunChannel(int index, int side, nint start, int rows, int c)
        {
            float m = Mean[(side * Channels) + c], f = InverseDeviation[(side * Channels) + c];
            float scale = Scale == null ? 1 : Scale[c], shift = Shift == null ? 0 : Shift[c];
            double sum = 0, product = 0;
            for (int row = 0; row < rows; row++)
            {
                nint at = start + ((nint)row * Channels) + c;
                float normalized = (X[at] - m) * f;
                float g = Relu && MathF.FusedMultiplyAdd(normalized, scale, shift) <= 0 ? 0 : Dy[at];
                if (Finish)
                {
                    Dx[at] = f * scale * (g - Means[(2 * side * Channels) + c] - (normalized * Means[(((2 * side) + 1) * Channels) + c]));
                }

                sum += g;
                product += g * normalized;
            }

            if (!Finish)
            {
                Sums[((nint)2 * index * Channels) + c] = (float)sum;
                Sums[((((nint)2 * index) + 1) * Channels) + c] = (float)product;
            }
        }
    }
}
