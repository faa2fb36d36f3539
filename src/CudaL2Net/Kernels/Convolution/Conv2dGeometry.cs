namespace CudaL2Net.Kernels;

/// <summary>Sizes of a two-dimensional convolution.</summary>
/// <param name="Batch">Images.</param>
/// <param name="Height">Input rows.</param>
/// <param name="Width">Input columns.</param>
/// <param name="InChannels">Input channels.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="KernelHeight">Filter rows.</param>
/// <param name="KernelWidth">Filter columns.</param>
/// <param name="Stride">Step of the output grid on the input, at least 1.</param>
/// <param name="Padding">Zeros on each side, at least 0.</param>
internal readonly record struct Conv2dGeometry(int Batch, int Height, int Width, int InChannels, int OutChannels, int KernelHeight, int KernelWidth, int Stride,
    int Padding)
{
    /// <summary>Output rows.</summary>
    public int OutHeight => ((Height + (2 * Padding) - KernelHeight) / Stride) + 1;

    /// <summary>Output columns.</summary>
    public int OutWidth => ((Width + (2 * Padding) - KernelWidth) / Stride) + 1;

    /// <summary>Multiply-adds of the forward pass.</summary>
    public long MultiplyAdds => (long)Batch * OutHeight * OutWidth * OutChannels * KernelHeight * KernelWidth * InChannels;
}
