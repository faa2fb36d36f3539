namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
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
        int pixels = x.Length / x.Shape[3];
        var neighbourhood = new Neighbourhood(x, weights);
        void* sums = Scratch((nuint)pixels * sizeof(float));
        Launch("subtractive_norm", "subtractive_norm_sums", RowBlocks(pixels), 256, 0, x, sums, pixels, backward, KernelArgument.Structure(&neighbourhood));
        Launch("subtractive_norm", "subtractive_norm_subtract", RowBlocks(pixels), 256, 0, x, sums, y, pixels, backward,
            KernelArgument.Structure(&neighbourhood));
    }

    /// <summary><c>Neighbourhood</c> of subtractive_norm.cu.</summary>
    private readonly struct Neighbourhood(Tensor<float> x, Tensor<float> weights)
    {
        public readonly int Height = x.Shape[1], Width = x.Shape[2], Channels = x.Shape[3], Kernel = weights.Shape[0];
        public readonly float* Weights = weights.Pointer;
    }
}
