namespace CudaL2Net.Formats.PyTorch;

/// <summary>A tensor of a PyTorch file, as floats in C order.</summary>
/// <param name="Shape">The sizes; none for a single number.</param>
/// <param name="Values">The elements.</param>
public sealed record TorchTensor(int[] Shape, float[] Values);
