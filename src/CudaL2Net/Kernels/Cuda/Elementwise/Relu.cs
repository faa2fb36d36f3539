namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void ReluForward(Tensor<float> x, Tensor<float> y)
    {
        Launch("relu", "relu_forward", Blocks(x.Length), 256, 0, x, y, x.Length);
    }

    public void ReluBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        Launch("relu", "relu_backward", Blocks(x.Length), 256, 0, x, dy, dx, x.Length);
    }
}
