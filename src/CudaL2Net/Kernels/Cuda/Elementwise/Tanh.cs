namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void TanhForward(Tensor<float> x, Tensor<float> y)
    {
        Launch("tanh", "tanh_forward", Blocks((x.Length + 3L) / 4), 256, 0, x, y, x.Length);
    }

    public void TanhBackward(Tensor<float> y, Tensor<float> dy, Tensor<float> dx)
    {
        Launch("tanh", "tanh_backward", Blocks((y.Length + 3L) / 4), 256, 0, y, dy, dx, y.Length);
    }
}
