namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y)
    {
        if (IsRowNorm(options))
        {
            RowNormForward(x, y, x.Length / options.Channels, options.Channels, options.Kappa, options.Alpha);
            return;
        }

        (int before, int after) = Reach(options);
        Launch("lrn", "lrn_forward", Blocks(x.Length), 256, 0, x, y, x.Length, options.Channels, before, after, options.Kappa, options.Alpha, options.Beta);
    }

    public void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        if (IsRowNorm(options))
        {
            RowNormBackward(x, dy, dx, x.Length / options.Channels, options.Channels, options.Kappa, options.Alpha);
            return;
        }

        (int before, int after) = Reach(options);
        void* terms = Scratch((nuint)x.Length * sizeof(float));
        Launch("lrn", "lrn_backward_terms", Blocks(x.Length), 256, 0, x, dy, dx, terms, x.Length, options.Channels, before, after, options.Kappa, options.Alpha,
            options.Beta);
        Launch("lrn", "lrn_backward", Blocks(x.Length), 256, 0, x, terms, dx, x.Length, options.Channels, before, after,
            2 * options.Alpha * options.Beta);
    }

    /// <summary>Channels before and after a channel that its window holds, no more than there are.</summary>
    private static (int Before, int After) Reach(in LrnOptions options) =>
        (Math.Min((options.Window - 1) / 2, options.Channels), Math.Min(options.Window / 2, options.Channels));

    /// <summary>Whether every channel's window is the whole row and the exponent 1/2, so that the row is divided by one number.</summary>
    private static bool IsRowNorm(in LrnOptions options) => (options.Window - 1) / 2 >= options.Channels - 1 && options.Beta == 0.5f;

    /// <summary>y = x / sqrt(kappa + alpha |x|^2) for each row.</summary>
    private void RowNormForward(Tensor<float> x, Tensor<float> y, int rows, int width, float kappa, float alpha) =>
        Launch("lrn", "unit_vector_forward", RowBlocks(rows), 256, 0, x, y, rows, width, kappa, alpha);

    private void RowNormBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx, int rows, int width, float kappa, float alpha) =>
        Launch("lrn", "unit_vector_backward", RowBlocks(rows), 256, 0, x, dy, dx, rows, width, kappa, alpha);
}
