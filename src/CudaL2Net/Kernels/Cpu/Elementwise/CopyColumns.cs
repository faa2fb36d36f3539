namespace CudaL2Net.Kernels.Cpu;

/// <summary>Copies columns between matrices: the concatenation of descriptors, and its gradient.</summary>
internal sealed unsafe partial class CpuDevice
{
    public void CopyColumns(Tensor<float> x, int xFirst, Tensor<float> y, int yFirst, int columns)
    {
        int rows = x.Shape[0], xStride = x.Length / rows, yStride = y.Length / rows;
        for (int row = 0; row < rows; row++)
        {
            new ReadOnlySpan<float>(x.Pointer + ((nint)row * xStride) + xFirst, columns).CopyTo(new Span<float>(y.Pointer + ((nint)row * yStride) + yFirst,
                columns));
        }
    }
}
