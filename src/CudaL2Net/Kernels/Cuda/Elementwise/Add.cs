namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void Add(Tensor<float> x, Tensor<float> y)
    {
        Launch("add", "add", Blocks(x.Length / 4), 256, 0, x, y, x.Length);
    }
}
