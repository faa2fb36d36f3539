namespace CudaL2Net.Operations;

/// <summary>One convolution with batch normalization folded into filters and bias, on the host.</summary>
/// <param name="Kernel">Filter rows and columns.</param>
/// <param name="Stride">Stride.</param>
/// <param name="Padding">Zeros on each side.</param>
/// <param name="InChannels">Input channels.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="Filters">[out][kh][kw][in].</param>
/// <param name="Bias">[out].</param>
/// <param name="Relu">Whether ReLU follows.</param>
public sealed record FoldedLayer(int Kernel, int Stride, int Padding, int InChannels, int OutChannels, float[] Filters, float[] Bias, bool Relu);

/// <summary>A tower ready for inference: normalized patch in, unit vector out.</summary>
/// <param name="Normalization">How bytes become the input.</param>
/// <param name="MeanImage">[32][32], or null for zero.</param>
/// <param name="Layers">The convolutions, from the input on; the last one's output is 1 x 1 x d and is made a unit vector.</param>
public sealed record FoldedNetwork(PatchNormalization Normalization, float[]? MeanImage, IReadOnlyList<FoldedLayer> Layers)
{
    /// <summary>Input rows and columns.</summary>
    public const int InputSide = 32;

    /// <summary>d, the descriptor's dimension.</summary>
    public int Dimension => Layers[^1].OutChannels;
}
