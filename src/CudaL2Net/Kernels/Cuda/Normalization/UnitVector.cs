namespace CudaL2Net.Kernels.Cuda;

// The kernels are lrn.cu's fast path.
internal partial class CudaDevice
{
    private const float UnitVectorEpsilon = 1e-10f;

    public void UnitVectorForward(Tensor<float> x, Tensor<float> y)
    {
        int rows = x.Shape[0];
        RowNormForward(x, y, rows, rows == 0 ? 0 : x.Length / rows, UnitVectorEpsilon, 1);
    }

    public void UnitVectorBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        int rows = x.Shape[0];
        RowNormBackward(x, dy, dx, rows, rows == 0 ? 0 : x.Length / rows, UnitVectorEpsilon, 1);
    }
}
