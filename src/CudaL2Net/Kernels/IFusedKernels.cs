namespace CudaL2Net.Kernels;

/// <summary>A batch normalization, with ReLU where it says so, that its readers apply while they load x: y = max(0, scale (x - mean_s) inverseDeviation_s
/// + shift).</summary>
/// <param name="Halves">Halves of the batch with statistics of their own.</param>
/// <param name="Relu">Whether ReLU follows.</param>
/// <param name="Mean">[halves][c].</param>
/// <param name="InverseDeviation">[halves][c].</param>
/// <param name="Scale">[c], or null for 1.</param>
/// <param name="Shift">[c], or null for 0.</param>
internal sealed record Normalization(int Halves, bool Relu, Tensor<float> Mean, Tensor<float> InverseDeviation, Tensor<float>? Scale, Tensor<float>? Shift);

/// <summary>
/// A normalized activation that is not stored: what was stored is x, the convolution's own output, and every reader normalizes it. Backward, what is stored is
/// the gradient g of y; every reader of the gradient of x makes it from g, x and two sums per channel:
/// dx = scale inverseDeviation (m - sum(m) / n - xhat sum(m xhat) / n), with m = g where y is positive (all of g without ReLU), xhat = (x - mean)
/// inverseDeviation and n the values per half and channel.
/// </summary>
/// <param name="X">[n][...][c], the normalization's input.</param>
/// <param name="Normalization">How it is normalized.</param>
/// <param name="Sums">[halves][2][c]: sum(m), then sum(m xhat).</param>
internal sealed record NormalizedActivation(Tensor<float> X, Normalization Normalization, Tensor<float> Sums);

/// <summary>
/// Convolutions fused with the batch normalizations before and after them, so that no pass over an activation exists for its own sake: memory is
/// slow beside arithmetic. Numbers are those of the operations of <see cref="IKernels"/> one after the other, up to rounding. The
/// normalizations before and after a convolution have as many halves.
/// </summary>
internal interface IFusedKernels
{
    /// <summary>y = convolution of the (normalized) input; the batch statistics of y are gathered on the way out, and the running ones moved.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="x">[n][h][w][in]: the input, or what <paramref name="input"/> normalizes.</param>
    /// <param name="input">Applied to x inside the image, while it is loaded; null where x is the input itself.</param>
    /// <param name="filters">[out][kh][kw][in].</param>
    /// <param name="bias">[out] or null.</param>
    /// <param name="y">[n][oh][ow][out], not normalized.</param>
    /// <param name="options">Of the normalization that follows: halves, epsilon, momentum.</param>
    /// <param name="mean">[halves][out], written.</param>
    /// <param name="inverseDeviation">[halves][out], written.</param>
    /// <param name="runningMean">[out], updated.</param>
    /// <param name="runningVariance">[out], updated.</param>
    void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance);

    /// <summary>The gradients with respect to filters and bias.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="x">As in the forward call.</param>
    /// <param name="input">As in the forward call.</param>
    /// <param name="output">The convolution's normalized output, its sums complete.</param>
    /// <param name="gradient">[n][oh][ow][out]: the gradient of the normalized output.</param>
    /// <param name="dFilters">[out][kh][kw][in].</param>
    /// <param name="dBias">[out] or null.</param>
    void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, NormalizedActivation output, Tensor<float> gradient,
        Tensor<float> dFilters, Tensor<float>? dBias);

    /// <summary>The gradient with respect to the convolution's (normalized) input.</summary>
    /// <param name="geometry">Sizes.</param>
    /// <param name="output">The convolution's normalized output, its sums complete.</param>
    /// <param name="gradient">[n][oh][ow][out]: the gradient of the normalized output.</param>
    /// <param name="filters">[out][kh][kw][in].</param>
    /// <param name="dInput">[n][h][w][in].</param>
    /// <param name="input">The normalized input whose sums are gathered on the way out; null where they are not wanted.</param>
    void Conv2dBackwardData(in Conv2dGeometry geometry, NormalizedActivation output, Tensor<float> gradient, Tensor<float> filters, Tensor<float> dInput,
        NormalizedActivation? input);

    /// <summary>Writes a normalized activation out, for readers that cannot normalize it themselves.</summary>
    void Normalize(Tensor<float> x, Normalization normalization, Tensor<float> y);

    /// <summary>Computes <see cref="NormalizedActivation.Sums"/> from the gradient of the normalized activation.</summary>
    void NormalizationSums(NormalizedActivation activation, Tensor<float> gradient);

    /// <summary>The gradients of scale and shift, from <see cref="NormalizedActivation.Sums"/>: sum(m xhat) and sum(m), both halves together.</summary>
    void NormalizationAffineGradient(Normalization normalization, Tensor<float> sums, Tensor<float>? dScale, Tensor<float>? dShift);
}
