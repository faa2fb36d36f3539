namespace CudaL2Net.Kernels;

/// <summary>Whose kernels a CUDA device trains with.</summary>
public enum KernelSet
{
    /// <summary>This library's.</summary>
    Own,

    /// <summary>NVIDIA's where it has one, to compare with: convolutions and, in float32 and tf32, batch normalization by cuDNN, matrix products of losses by
    /// cuBLAS.</summary>
    Vendor,
}
