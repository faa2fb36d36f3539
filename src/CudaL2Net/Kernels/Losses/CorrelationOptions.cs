namespace CudaL2Net.Kernels;

/// <summary>Options of the correlation loss.</summary>
/// <param name="FirstHalfOnly">HardNet's penalty is on the anchors only; L2-Net's on both halves.</param>
/// <param name="Exact">Equation 6 in full, with the mean removed and each dimension divided by its deviation; else Y Y' / p, which is the same right after
/// batch normalization.</param>
public readonly record struct CorrelationOptions(bool FirstHalfOnly, bool Exact);
