namespace CudaL2Net.Kernels.Cpu;

// y_c = x_c S_c^-beta, S_c = kappa + alpha sum of x_j^2 over the window c - floor((n - 1) / 2) <= j <= c + ceil((n - 1) / 2) (MatConvNet).
// dx_c = dy_c S_c^-beta - 2 alpha beta x_c sum over the windows j that hold c of dy_j x_j S_j^(-beta - 1).
// Windows are differences of running sums in double, so the cost does not depend on n. Where S is 0 (kappa 0, all x 0) y and dx are 0.
internal sealed unsafe partial class CpuDevice
{
    public void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y)
    {
        RunLrn(options, x, null, y);
    }

    public void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        RunLrn(options, x, dy, dx);
    }

    private void RunLrn(in LrnOptions options, Tensor<float> x, Tensor<float>? dy, Tensor<float> result)
    {
        nuint perWorker = (2 * (nuint)options.Channels) + 1;
        var job = new LrnJob
        {
            Options = options,
            Rows = x.Length / options.Channels,
            X = x.Pointer,
            Dy = dy is null ? null : dy.Pointer,
            Result = result.Pointer,
            Workspace = (double*)Scratch(3, 2 * perWorker * (nuint)pool.Threads),
        };
        pool.For(InnerProducts.Panels(job.Rows, RowChunk), job);
    }

    private struct LrnJob : IParallelJob
    {
        public LrnOptions Options;
        public int Rows;
        public float* X;
        public float* Dy;
        public float* Result;
        public double* Workspace;

        public readonly void Run(int index, int worker)
        {
            double* sums = Workspace + ((long)worker * ((2 * Options.Channels) + 1));
            double* scales = sums + Options.Channels + 1;
            for (int row = index * RowChunk; row < Math.Min((index + 1) * RowChunk, Rows); row++)
            {
                long offset = (long)row * Options.Channels;
                float* x = X + offset, result = Result + offset;
                Scales(x, sums, scales);
                if (Dy == null)
                {
                    for (int c = 0; c < Options.Channels; c++)
                    {
                        result[c] = scales[c] > 0 ? (float)(x[c] * Math.Pow(scales[c], -Options.Beta)) : 0;
                    }
                }
                else
                {
                    Backward(x, Dy + offset, result, sums, scales);
                }
            }
        }

        /// <summary>S for each channel of a row.</summary>
        private readonly void Scales(float* x, double* sums, double* scales)
        {
            int channels = Options.Channels, before = (Options.Window - 1) / 2, after = Options.Window / 2;
            sums[0] = 0;
            for (int c = 0; c < channels; c++)
            {
                sums[c + 1] = sums[c] + ((double)x[c] * x[c]);
            }

            for (int c = 0; c < channels; c++)
            {
                scales[c] = Options.Kappa + (Options.Alpha * Between(sums, c - before, c + after));
            }
        }

        private readonly void Backward(float* x, float* dy, float* dx, double* sums, double* scales)
        {
            int channels = Options.Channels, before = (Options.Window - 1) / 2, after = Options.Window / 2;
            sums[0] = 0;
            for (int c = 0; c < channels; c++)
            {
                double term = scales[c] > 0 ? dy[c] * (double)x[c] * Math.Pow(scales[c], -Options.Beta - 1.0) : 0;
                sums[c + 1] = sums[c] + term;
            }

            for (int c = 0; c < channels; c++)
            {
                double direct = scales[c] > 0 ? dy[c] * Math.Pow(scales[c], -Options.Beta) : 0;
                dx[c] = (float)(direct - (2.0 * Options.Alpha * Options.Beta * x[c] * Between(sums, c - after, c + before)));
            }
        }

        private readonly double Between(double* sums, int first, int last) => sums[Math.Min(last, Options.Channels - 1) + 1] - sums[Math.Max(first, 0)];
    }
}
