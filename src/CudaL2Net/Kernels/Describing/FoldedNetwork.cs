namespace CudaL2Net.Kernels;

/// <summary>One convolution with batch normalization folded into filters and bias, on the host.</summary>
/// <param name="Kernel">Filter rows and columns.</param>
/// <param name="Stride">Stride.</param>
/// <param name="Padding">Zeros on each side.</param>
/// <param name="InChannels">Input channels.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="Filters">[out][kh][kw][in].</param>
/// <param name="Bias">[out].</param>
/// <param name="Relu">Whether ReLU follows.</param>
/// <param name="Limits">[out], above 0: what outputs hardly ever exceed; they are cut off there where they are stored as bytes. Null where nothing is known of
/// them.</param>
internal sealed record FoldedLayer(
    int Kernel, int Stride, int Padding, int InChannels, int OutChannels, float[] Filters, float[] Bias, bool Relu, float[]? Limits = null);

/// <summary>A tower ready for inference: normalized patch in, unit vector out.</summary>
/// <param name="Normalization">How bytes become the input.</param>
/// <param name="MeanImage">[32][32], or null for zero.</param>
/// <param name="Layers">The convolutions, from the input on; the last one's output is 1 x 1 x d and is made a unit vector.</param>
internal sealed record FoldedNetwork(PatchNormalization Normalization, float[]? MeanImage, IReadOnlyList<FoldedLayer> Layers)
{
    /// <summary>Input rows and columns.</summary>
    public const int InputSide = 32;

    /// <summary>Bytes of an input patch.</summary>
    internal const int InputArea = InputSide * InputSide;

    /// <summary>d, the descriptor's dimension.</summary>
    public int Dimension => Layers[^1].OutChannels;

    /// <summary>Throws unless a plan computes the normalization: <see cref="PatchNormalization.PerPatch"/> or <see cref="PatchNormalization.L2Net"/>.</summary>
    /// <exception cref="ArgumentException">It is another.</exception>
    internal void RequireNormalization()
    {
        if (Normalization is not (PatchNormalization.PerPatch or PatchNormalization.L2Net))
        {
            throw new ArgumentException($"a folded network takes patches normalized by {PatchNormalization.PerPatch} or {PatchNormalization.L2Net}, "
                + $"not by {Normalization}: describe with the network's layers on a tape");
        }
    }

    /// <summary>The sizes of each convolution for one patch.</summary>
    /// <exception cref="ArgumentException">The last layer does not make 1 x 1 of its input.</exception>
    internal Conv2dGeometry[] Geometries()
    {
        var geometries = new Conv2dGeometry[Layers.Count];
        int side = InputSide;
        for (int i = 0; i < geometries.Length; i++)
        {
            FoldedLayer layer = Layers[i];
            if (i == geometries.Length - 1 && (layer.Kernel != side || layer.Padding != 0 || layer.Relu))
            {
                throw new ArgumentException($"the last layer must cover its {side} x {side} input without padding or ReLU");
            }

            geometries[i] = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
            side = geometries[i].OutHeight;
        }

        return geometries;
    }

    /// <summary>The number of patches that a call of <see cref="Kernels.INetworkPlan.Describe"/> is about.</summary>
    /// <exception cref="ArgumentException">The bytes are no whole number of patches, or the descriptors do not fit.</exception>
    internal int CountPatches(ReadOnlySpan<byte> patches, ReadOnlySpan<float> descriptors, int stride) =>
        CountPatches(patches, descriptors.Length, stride, Dimension, "floats of descriptors");

    /// <summary>The number of patches that a call of <see cref="Kernels.INetworkPlan.DescribeSigns"/> is about.</summary>
    internal int CountPatches(ReadOnlySpan<byte> patches, ReadOnlySpan<byte> signs, int stride) =>
        Dimension % 8 == 0
            ? CountPatches(patches, signs.Length, stride, Dimension / 8, "bytes of signs")
            : throw new ArgumentException($"the signs of {Dimension} dimensions do not fill whole bytes");

    private int CountPatches(ReadOnlySpan<byte> patches, int length, int stride, int width, string what)
    {
        const int Area = InputSide * InputSide;
        int count = patches.Length / Area;
        if (count * Area != patches.Length || stride < width || (count > 0 && length < ((long)(count - 1) * stride) + width))
        {
            throw new ArgumentException(
                $"{patches.Length} bytes of patches and {length} {what} with stride {stride} do not fit 32 x 32 patches and dimension {Dimension}");
        }

        return count;
    }
}
