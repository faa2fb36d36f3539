namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y)
    {
        Launch("dropout", "dropout", Blocks((x.Length + 3L) / 4), 256, 0, x, y, x.Length, options.Rate, 1 / (1 - options.Rate), options.Seed, options.Layer,
            step);
    }
}
