namespace CudaL2Net.Kernels;

/// <summary>A normalized activation, as <see cref="NormalizedActivation"/>, whose x is stored as bf16.</summary>
/// <param name="X">[n][h][w][c], the normalization's input, rounded to bf16.</param>
/// <param name="Normalization">How it is normalized.</param>
/// <param name="Sums">[halves][2][c]: sum(m), then sum(m xhat).</param>
internal sealed record Bf16Activation(Tensor<ushort> X, Normalization Normalization, Tensor<float> Sums);

/// <summary>
/// Fused convolutions of some shapes, L2-Net's own, that keep activations and their gradients as bf16 in memory: offered by devices whose precision is bf16.
/// Their inputs are normalized activations stored so, or float32 patches of one channel.
/// </summary>
internal interface IStoredKernels : IFusedKernels
{
    /// <summary>Whether there are kernels for a convolution; with one input channel its input is patches that need no gradient.</summary>
    bool TakesStored(in Conv2dGeometry geometry);

    /// <summary>Rounds and packs filters for the kernels of their geometry, whose backward pass may keep numbers of its own with them.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="filters">[out][3][3][in].</param>
    /// <param name="packed">[2][out x 9 x in]: for the forward pass, then for the backward one.</param>
    void PackFilters(in Conv2dGeometry geometry, Tensor<float> filters, Tensor<ushort> packed);

    /// <summary>y = convolution of the normalized input; the batch statistics of y are gathered on the way out, and the running ones moved.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="input">[n][h][w][in].</param>
    /// <param name="packed">From <see cref="PackFilters"/>.</param>
    /// <param name="bias">[out] or null.</param>
    /// <param name="y">[n][oh][ow][out], not normalized.</param>
    /// <param name="options">Of the normalization that follows: halves, epsilon, momentum.</param>
    /// <param name="mean">[halves][out], written.</param>
    /// <param name="inverseDeviation">[halves][out], written.</param>
    /// <param name="runningMean">[out], updated.</param>
    /// <param name="runningVariance">[out], updated.</param>
    void Conv2dForward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance);

    /// <summary>The same for patches, [n][h][w][1]. The filters are those that are trained, [out][3][3][1].</summary>
    /// <inheritdoc cref="Conv2dForward(in Conv2dGeometry, Bf16Activation, Tensor{ushort}, Tensor{float}?, Tensor{ushort}, in BatchNormOptions, Tensor{float}, Tensor{float}, Tensor{float}, Tensor{float})" path="/param"/>
    void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> patches, Tensor<float> filters, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance);

    /// <summary>The gradients with respect to filters and to the normalized input, after the forward pass. A bias before a normalization has none.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="input">As in the forward call.</param>
    /// <param name="packed">As in the forward call.</param>
    /// <param name="output">The convolution's normalized output; its sums are complete if <paramref name="gradient"/> has no part of float32, else they are
    /// computed.</param>
    /// <param name="gradient">Of the normalized output.</param>
    /// <param name="dFilters">[out][3][3][in].</param>
    /// <param name="dInput">[n][h][w][in], or null.</param>
    /// <param name="gatherSums">Whether the input's sums are computed on the way out.</param>
    void Conv2dBackward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Bf16Activation output, GradientParts gradient,
        Tensor<float> dFilters, Tensor<ushort>? dInput, bool gatherSums);

    /// <summary>The gradient with respect to the filters that read patches.</summary>
    /// <inheritdoc cref="Conv2dBackward(in Conv2dGeometry, Bf16Activation, Tensor{ushort}, Bf16Activation, GradientParts, Tensor{float}, Tensor{ushort}?, bool)" path="/param"/>
    void Conv2dBackward(in Conv2dGeometry geometry, Tensor<float> patches, Bf16Activation output, GradientParts gradient, Tensor<float> dFilters);

    /// <summary>Writes a normalized activation out, for readers that cannot normalize it themselves.</summary>
    void Normalize(Tensor<ushort> x, Normalization normalization, Tensor<float> y);
}

/// <summary>The gradient of an activation: the sum of its two parts, at least one of which is there.</summary>
/// <param name="Rounded">What a reader of the stored activation gives, or null.</param>
/// <param name="Full">What other readers give, or null.</param>
internal readonly record struct GradientParts(Tensor<ushort>? Rounded, Tensor<float>? Full);
