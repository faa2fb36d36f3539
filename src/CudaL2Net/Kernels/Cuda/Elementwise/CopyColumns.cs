namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void CopyColumns(Tensor<float> x, int xFirst, Tensor<float> y, int yFirst, int columns)
    {
        int rows = x.Shape[0], xStride = x.Length / rows, yStride = y.Length / rows;
        Launch("copy_columns", "copy_columns", RowBlocks(rows), 256, 0, x.Pointer + xFirst, xStride, y.Pointer + yFirst, yStride, rows, columns);
    }
}
