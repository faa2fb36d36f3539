namespace CudaL2Net.Kernels;

/// <summary>Options of batch normalization.</summary>
/// <param name="Halves">2 where each half of the batch has its own statistics, 1 where the batch has one.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Momentum">Weight of a batch in the running statistics.</param>
/// <param name="Relu">Whether ReLU follows.</param>
public readonly record struct BatchNormOptions(int Halves, float Epsilon, float Momentum, bool Relu);
