using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal partial class CudaDevice
{
    public void Add(Tensor<float> x, Tensor<float> y)
    {
        RequireSameLength(x, y);
        Launch("add", "add", Blocks(x.Length / 4), 256, 0, x, y, x.Length);
    }
}
