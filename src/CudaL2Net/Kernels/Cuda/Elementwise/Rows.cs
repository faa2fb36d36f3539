namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    private const int SumChunk = 4096;

    public void RowDots(Tensor<float> x, Tensor<float>? y, Tensor<float> sums)
    {
        (int rows, int width) = RowShape(x);
        Launch("rows", "row_dots", RowBlocks(rows), 256, 0, x, y, sums, rows, width);
    }

    public void ScaleRows(Tensor<float> factors, Tensor<float>? x, Tensor<float> y)
    {
        (int rows, int width) = RowShape(y);
        Launch("rows", "scale_rows", RowBlocks(rows), 256, 0, factors, x, y, rows, width);
    }

    public void Mean(float weight, Tensor<float> x, Tensor<float> mean)
    {
        int chunks = Tiles(x.Length, SumChunk);
        var sums = (float*)Scratch((nuint)chunks * sizeof(float));
        Launch("rows", "chunk_sums", chunks, 256, 0, x, x.Length, sums);
        ScaledSum(sums, chunks, (float)(weight / (double)x.Length), mean.Pointer);
    }
}
