namespace CudaL2Net.Kernels;

/// <summary>The kinds of arithmetic that a device has a rate of its own for.</summary>
internal enum Arithmetic
{
    /// <summary>Fused multiply-adds in float32.</summary>
    Float32,

    /// <summary>Matrix products of tf32 numbers on tensor cores.</summary>
    Tf32,

    /// <summary>Matrix products of bf16 numbers on tensor cores.</summary>
    Bf16,

    /// <summary>Matrix products of bytes on tensor cores.</summary>
    Int8,

    /// <summary>Population counts of 32 bits.</summary>
    Popcount,
}
