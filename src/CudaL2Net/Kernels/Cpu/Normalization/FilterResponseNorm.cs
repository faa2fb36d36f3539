using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// y = max(u, threshold), u = scale x r + shift, r = 1 / sqrt(mean of x^2 over an image's pixels + epsilon), per image and channel.
// With g = dy where u > threshold, else 0: dx = scale r (g - x r^2 mean(g x)); dshift = sum g, dscale = sum g x r, dthreshold = sum dy below the threshold.
// An image is one piece of work: sums over its pixels, a vector of channels at a time, then one pass over it. Channels that do not fill a vector are summed in
// double precision. The parameters' gradients are sums over images of what each image left, in order, in double precision.
internal sealed unsafe partial class CpuDevice
{
    private const int ParameterChunk = 64;

    public void FilterResponseNormForward(float epsilon, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold,
        Tensor<float> inverse, Tensor<float> y)
    {
        FilterResponseJob job = FilterResponse(x, scale, shift, threshold, inverse);
        job.Epsilon = epsilon;
        job.Y = y.Pointer;
        pool.For(x.Shape[0], job);
    }

    public void FilterResponseNormBackward(Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold, Tensor<float> inverse,
        Tensor<float> dy, Tensor<float>? dx, Tensor<float>? dScale, Tensor<float>? dShift, Tensor<float>? dThreshold)
    {
        FilterResponseJob job = FilterResponse(x, scale, shift, threshold, inverse);
        job.Dy = dy.Pointer;
        job.Dx = dx == null ? null : dx.Pointer;
        job.Sums = Scratch(GradientScratch, 3 * (nuint)inverse.Length);
        pool.For(x.Shape[0], job);
        ForChunks(3 * job.Channels, ParameterChunk, new FilterResponseParametersBody
        {
            Images = x.Shape[0],
            Channels = job.Channels,
            Sums = job.Sums,
            DScale = dScale == null ? null : dScale.Pointer,
            DShift = dShift == null ? null : dShift.Pointer,
            DThreshold = dThreshold == null ? null : dThreshold.Pointer,
        });
    }

    private FilterResponseJob FilterResponse(Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold, Tensor<float> inverse)
    {
        int channels = x.Shape[^1];
        return new FilterResponseJob
        {
            Channels = channels,
            Pixels = inverse.Length == 0 ? 0 : x.Length / inverse.Length,
            X = x.Pointer,
            Scale = scale == null ? null : scale.Pointer,
            Shift = shift == null ? null : shift.Pointer,
            Threshold = threshold == null ? null : threshold.Pointer,
            Inverse = inverse.Pointer,
            Coefficients = Scratch(PanelScratch, (nuint)(FilterResponseJob.Kinds * channels) * (nuint)pool.Threads),
        };
    }

    private struct FilterResponseJob : IParallelJob
    {
        /// <summary>Coefficients of a channel: u = x factor + shift, y = max(u, least); backward dx = factor g + slope x.</summary>
        public const int Factor = 0, ShiftOf = 1, Least = 2, Slope = 3, Kinds = 4;

        public int Pixels, Channels;
        public float Epsilon;
        public float* X, Scale, Shift, Threshold, Inverse, Coefficients;

        /// <summary>Forward.</summary>
        public float* Y;

        /// <summary>Backward; Y is null then. Sums, [n][3][c], are written: of g x r, of g, of dy below the threshold.</summary>
        public float* Dy, Dx, Sums;

        private readonly nint ImageLength => (nint)Pixels * Channels;

        public readonly void Run(int index, int worker)
        {
            float* x = X + (index * ImageLength), inverse = Inverse + ((nint)index * Channels), coefficients = Coefficients + ((nint)worker * Kinds * Channels);
            if (Y != null)
            {
                Deviations(x, inverse);
                Fill(coefficients, inverse);
                Normalize(x, coefficients, Y + (index * ImageLength));
                return;
            }

            float* sums = Sums + ((nint)3 * index * Channels), dy = Dy + (index * ImageLength);
            Fill(coefficients, inverse);
            GradientSums(x, dy, coefficients, sums);
            for (int c = 0; c < Channels; c++)
            {
                coefficients[(Slope * Channels) + c] = -coefficients[c] * inverse[c] * inverse[c] * (sums[c] / Pixels);
                sums[c] *= inverse[c];
            }

            if (Dx != null)
            {
                Gradient(x, dy, coefficients, Dx + (index * ImageLength));
            }
        }

        private readonly void Fill(float* coefficients, float* inverse)
        {
            for (int c = 0; c < Channels; c++)
            {
                coefficients[c] = Scale == null ? inverse[c] : Scale[c] * inverse[c];
                coefficients[(ShiftOf * Channels) + c] = Shift == null ? 0 : Shift[c];
                coefficients[(Least * Channels) + c] = Threshold == null ? float.NegativeInfinity : Threshold[c];
            }
        }

        private readonly void Deviations(float* x, float* inverse)
        {
            int c = 0;
            for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> even = Vector<float>.Zero, odd = Vector<float>.Zero;
                float* from = x + c;
                int pixel = 0;
                for (; pixel < Pixels - 1; pixel += 2, from += 2 * Channels)
                {
                    Vector<float> v = Vector.Load(from), w = Vector.Load(from + Channels);
                    even = Vector.FusedMultiplyAdd(v, v, even);
                    odd = Vector.FusedMultiplyAdd(w, w, odd);
                }

                if (pixel < Pixels)
                {
                    Vector<float> v = Vector.Load(from);
                    even = Vector.FusedMultiplyAdd(v, v, even);
                }

                Vector<float> mean = (even + odd) / new Vector<float>(Pixels);
                (Vector<float>.One / Vector.SquareRoot(mean + new Vector<float>(Epsilon))).Store(inverse + c);
            }

            for (; c < Channels; c++)
            {
                double sum = 0;
                for (nint at = c; at < ImageLength; at += Channels)
                {
                    sum += (double)x[at] * x[at];
                }

                inverse[c] = (float)(1 / Math.Sqrt((sum / Pixels) + Epsilon));
            }
        }

        private readonly void Normalize(float* x, float* coefficients, float* y)
        {
            float* shifts = coefficients + (ShiftOf * Channels), least = coefficients + (Least * Channels);
            for (int pixel = 0; pixel < Pixels; pixel++, x += Channels, y += Channels)
            {
                int c = 0;
                for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
                {
                    Vector<float> bound = Vector.Load(least + c);
                    Vector<float> u = Vector.FusedMultiplyAdd(Vector.Load(x + c), Vector.Load(coefficients + c), Vector.Load(shifts + c));
                    Vector.ConditionalSelect(Vector.LessThanOrEqual(u, bound), bound, u).Store(y + c);
                }

                for (; c < Channels; c++)
                {
                    float u = MathF.FusedMultiplyAdd(x[c], coefficients[c], shifts[c]);
                    y[c] = u <= least[c] ? least[c] : u;
                }
            }
        }

        /// <summary>Sums of g x, of g and of dy below the threshold.</summary>
        private readonly void GradientSums(float* x, float* dy, float* coefficients, float* sums)
        {
            float* shifts = coefficients + (ShiftOf * Channels), least = coefficients + (Least * Channels);
            int c = 0;
            for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                Vector<float> factor = Vector.Load(coefficients + c), shift = Vector.Load(shifts + c), bound = Vector.Load(least + c);
                Vector<float> product = Vector<float>.Zero, sum = Vector<float>.Zero, below = Vector<float>.Zero;
                float* from = x + c, gradient = dy + c;
                for (int pixel = 0; pixel < Pixels; pixel++, from += Channels, gradient += Channels)
                {
                    Vector<float> v = Vector.Load(from), d = Vector.Load(gradient);
                    Vector<int> bounded = Vector.LessThanOrEqual(Vector.FusedMultiplyAdd(v, factor, shift), bound);
                    Vector<float> g = Vector.ConditionalSelect(bounded, Vector<float>.Zero, d);
                    product = Vector.FusedMultiplyAdd(g, v, product);
                    sum += g;
                    below += Vector.ConditionalSelect(bounded, d, Vector<float>.Zero);
                }

                product.Store(sums + c);
                sum.Store(sums + Channels + c);
                below.Store(sums + (2 * Channels) + c);
            }

            for (; c < Channels; c++)
            {
                double product = 0, sum = 0, below = 0;
                for (nint at = c; at < ImageLength; at += Channels)
                {
                    if (MathF.FusedMultiplyAdd(x[at], coefficients[c], shifts[c]) <= least[c])
                    {
                        below += dy[at];
                    }
                    else
                    {
                        product += (double)dy[at] * x[at];
                        sum += dy[at];
                    }
                }

                sums[c] = (float)product;
                sums[Channels + c] = (float)sum;
                sums[(2 * Channels) + c] = (float)below;
            }
        }

        private readonly void Gradient(float* x, float* dy, float* coefficients, float* dx)
        {
            float* shifts = coefficients + (ShiftOf * Channels), least = coefficients + (Least * Channels), slopes = coefficients + (Slope * Channels);
            for (int pixel = 0; pixel < Pixels; pixel++, x += Channels, dy += Channels, dx += Channels)
            {
                int c = 0;
                for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
                {
                    Vector<float> v = Vector.Load(x + c), factor = Vector.Load(coefficients + c);
                    Vector<int> bounded = Vector.LessThanOrEqual(Vector.FusedMultiplyAdd(v, factor, Vector.Load(shifts + c)), Vector.Load(least + c));
                    Vector<float> g = Vector.ConditionalSelect(bounded, Vector<float>.Zero, Vector.Load(dy + c));
                    Vector.FusedMultiplyAdd(factor, g, Vector.Load(slopes + c) * v).Store(dx + c);
                }

                for (; c < Channels; c++)
                {
                    float g = MathF.FusedMultiplyAdd(x[c], coefficients[c], shifts[c]) <= least[c] ? 0 : dy[c];
                    dx[c] = MathF.FusedMultiplyAdd(coefficients[c], g, slopes[c] * x[c]);
                }
            }
        }
    }

    /// <summary>Sums over images of [images][3][channels], each third where it is wanted.</summary>
    private struct FilterResponseParametersBody : IChunkBody
    {
        public int Images, Channels;
        public float* Sums, DScale, DShift, DThreshold;

        public readonly void Run(int start, int end)
        {
            double* totals = stackalloc double[ParameterChunk];
            new Span<double>(totals, end - start).Clear();
            for (int image = 0; image < Images; image++)
            {
                float* from = Sums + ((nint)3 * image * Channels);
                for (int i = start; i < end; i++)
                {
                    totals[i - start] += from[i];
                }
            }

            for (int i = start; i < end; i++)
            {
                float* to = i < Channels ? DScale : i < 2 * Channels ? DShift : DThreshold;
                if (to != null)
                {
                    to[i % Channels] = (float)totals[i - start];
                }
            }
        }
    }
}
