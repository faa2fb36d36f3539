namespace CudaL2Net.Kernels;

/// <summary>
/// The numbers that matrix products multiply on a CUDA device. Weights, sums, losses and everything that is not a product are float32: operands are rounded to
/// nearest while they are loaded. <see cref="Int8"/>, for describing only, differs.
/// </summary>
public enum Precision
{
    /// <summary>float32 by fused multiply-adds: 24 significant bits.</summary>
    Float32,

    /// <summary>TensorFloat-32 on tensor cores: 11 significant bits, float32's range.</summary>
    Tf32,

    /// <summary>bfloat16 on tensor cores: 8 significant bits, float32's range. The activations of L2-Net's convolutions but the last, and the gradients of these
    /// activations, are kept in memory as bfloat16, too (<see cref="Kernels.IStoredKernels"/>).</summary>
    Bf16,

    /// <summary>
    /// For describing; a training is refused. Layers 2 to 6 of L2-Net's tower multiply unsigned bytes (activations after ReLU, in 255ths of what batch
    /// normalization lets expect, <see cref="FoldedLayer.Limits"/>) and signed bytes (filters, with a scale for each output), and sum integers. Everything
    /// else, other networks included, is as in <see cref="Bf16"/>.
    /// </summary>
    Int8,
}
