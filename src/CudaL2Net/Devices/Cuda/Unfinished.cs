using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal sealed partial class CudaDevice
{
    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y) => throw new NotImplementedException();

    public void Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx) => throw new NotImplementedException();

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias) => throw new NotImplementedException();
}
