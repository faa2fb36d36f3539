using System.Numerics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels.Cpu;

// y = x - m, m(p) = sum over t of k(t) s(p + t) / (c share(p)): s the sum of a pixel's channels, share the part of the kernel inside the image.
// dx = dy - m', m'(q) = sum over t of k(t) g(q - t) / c, g(p) = (sum of the channels of dy at p) / share(p).
// An image is one piece of work: a thread sums its channels into a map, blurs the map row by row, and subtracts. The shares are computed once per call.
internal sealed unsafe partial class CpuDevice
{
    public void SubtractiveNormForward(Tensor<float> x, Tensor<float> weights, Tensor<float> y)
    {
        SubtractMean(x, weights, y, backward: false);
    }

    public void SubtractiveNormBackward(Tensor<float> weights, Tensor<float> dy, Tensor<float> dx)
    {
        SubtractMean(dy, weights, dx, backward: true);
    }

    private void SubtractMean(Tensor<float> x, Tensor<float> weights, Tensor<float> y, bool backward)
    {
        var job = new SubtractMeanJob
        {
            Height = x.Shape[1],
            Width = x.Shape[2],
            Channels = x.Shape[3],
            Kernel = weights.Shape[0],
            Backward = backward,
            Weights = weights.Pointer,
            X = x.Pointer,
            Y = y.Pointer,
        };
        job.Factors = Scratch(PanelScratch, (nuint)(job.Height * job.Width));
        job.Maps = Scratch(ImageScratch, 2 * (nuint)(job.Height * job.Width) * (nuint)pool.Threads);
        job.FillFactors();
        pool.For(x.Shape[0], job);
    }

    private struct SubtractMeanJob : IParallelJob
    {
        public int Height, Width, Channels, Kernel;
        public bool Backward;
        public float* Weights, X, Y;

        /// <summary>1 / (c share) of each pixel.</summary>
        public float* Factors;

        /// <summary>Of each thread the sums of an image's pixels, and their means.</summary>
        public float* Maps;

        public readonly void FillFactors()
        {
            int half = Kernel / 2;
            for (int pixel = 0; pixel < Height * Width; pixel++)
            {
                double share = 0;
                for (int tap = 0; tap < Kernel * Kernel; tap++)
                {
                    int row = (pixel / Width) + (tap / Kernel) - half, column = (pixel % Width) + (tap % Kernel) - half;
                    share += (uint)row < (uint)Height && (uint)column < (uint)Width ? Weights[tap] : 0;
                }

                Factors[pixel] = (float)(1 / (Channels * share));
            }
        }

        public readonly void Run(int index, int worker)
        {
            int pixels = Height * Width;
            nint start = (nint)index * pixels * Channels;
            float* sums = Maps + ((nint)2 * worker * pixels), means = sums + pixels;
            for (int pixel = 0; pixel < pixels; pixel++)
            {
                float sum = Sum(X + start + ((nint)pixel * Channels));
                sums[pixel] = Backward ? sum * Factors[pixel] : sum;
            }

            Blur(sums, means);
            for (int pixel = 0; pixel < pixels; pixel++)
            {
                nint at = start + ((nint)pixel * Channels);
                Subtract(X + at, Backward ? means[pixel] : means[pixel] * Factors[pixel], Y + at);
            }
        }

        private readonly float Sum(float* x)
        {
            Vector<float> sums = Vector<float>.Zero;
            int c = 0;
            for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                sums += Vector.Load(x + c);
            }

            float sum = Vector.Sum(sums);
            for (; c < Channels; c++)
            {
                sum += x[c];
            }

            return sum;
        }

        /// <summary>The weighted sums of the neighbourhoods: of p + t, or backward of p - t.</summary>
        private readonly void Blur(float* from, float* to)
        {
            NativeMemory.Clear(to, (nuint)(Height * Width) * sizeof(float));
            int half = Kernel / 2, sign = Backward ? -1 : 1;
            for (int tap = 0; tap < Kernel * Kernel; tap++)
            {
                int down = sign * ((tap / Kernel) - half), right = sign * ((tap % Kernel) - half);
                int first = Math.Max(0, -right), count = Math.Min(Width, Width - right) - first;
                for (int row = Math.Max(0, -down); row < Math.Min(Height, Height - down) && count > 0; row++)
                {
                    Vectors.AddScaled(Weights[tap], from + ((nint)(row + down) * Width) + first + right, to + ((nint)row * Width) + first, count);
                }
            }
        }

        private readonly void Subtract(float* x, float mean, float* y)
        {
            var means = new Vector<float>(mean);
            int c = 0;
            for (; c <= Channels - Vector<float>.Count; c += Vector<float>.Count)
            {
                (Vector.Load(x + c) - means).Store(y + c);
            }

            for (; c < Channels; c++)
            {
                y[c] = x[c] - mean;
            }
        }
    }
}
