using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>A product of matrices by cuBLAS, row-major: c[m][n] = sum over k of a(m, k) b(n, k). Sums and c are float32.</summary>
/// <param name="libraries">Where it runs.</param>
/// <param name="rows">Rows of a and c.</param>
/// <param name="columns">Rows of b, columns of c.</param>
/// <param name="depth">Values in a sum.</param>
/// <param name="precision">What is multiplied; for <see cref="Precision.Bf16"/> a and b are bfloat16 in memory.</param>
internal sealed class VendorProduct(VendorLibraries libraries, int rows, int columns, int depth, Precision precision = Precision.Float32)
{
    /// <summary>Queues the product of matrices whose rows are dense.</summary>
    public void Run(nint a, nint b, nint c) => Run(new Factor(a, depth), new Factor(b, depth), c);

    /// <summary>Queues the product, or those of a batch of matrices, whose results lie one after another.</summary>
    public void Run(in Factor a, in Factor b, nint c, int batch = 1)
    {
        CudaDataType type = precision == Precision.Bf16 ? CudaDataType.BFloat16 : CudaDataType.Float32;
        CudaBlasComputeType compute = precision == Precision.Tf32 ? CudaBlasComputeType.Float32FastTf32 : CudaBlasComputeType.Float32;

        // What is row-major here is the transpose of what is column-major there: cuBLAS makes c' = b a'.
        CudaBlasMatrix Matrix(in Factor factor, bool transposed) => new(factor.Data, type, factor.Pitch, transposed, factor.Stride);
        libraries.Blas.Gemm(columns, rows, depth, Matrix(b, !b.ByDepth), Matrix(a, a.ByDepth),
            new CudaBlasMatrix(c, CudaDataType.Float32, columns, Stride: (long)rows * columns), compute, batch);
    }

    /// <summary>A factor: element (row, k) is at row x pitch + k, or by depth at k x pitch + row.</summary>
    /// <param name="Data">Its address on the device.</param>
    /// <param name="Pitch">Elements between rows, or by depth between values of k.</param>
    /// <param name="ByDepth">Which of both.</param>
    /// <param name="Stride">Elements from one matrix of a batch to the next.</param>
    public readonly record struct Factor(nint Data, int Pitch, bool ByDepth = false, long Stride = 0);
}
