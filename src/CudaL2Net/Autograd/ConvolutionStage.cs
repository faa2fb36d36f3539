using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>Convolution and batch normalization as one recorded operation.</summary>
public static class ConvolutionStage
{
    /// <summary>
    /// Records a convolution, batch normalization and, if the options say so, ReLU: as <see cref="TapeOperations.Conv2d"/> and
    /// <see cref="TapeOperations.BatchNorm"/> one after the other, but faster. Where the device can, neither the normalized activation nor the gradient of the
    /// convolution's output is ever stored: whoever reads the one or the other computes it. In bf16 they go from one stage to the next as bf16, for the shapes
    /// that there are kernels for.
    /// </summary>
    /// <returns>[n][oh][ow][out].</returns>
    /// <exception cref="ArgumentException">An argument is of another tape, device or shape, the filter does not fit, an option is out of range, or the batch
    /// does not divide into halves.</exception>
    public static Variable ConvolutionBatchNorm(this Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding,
        BatchNormOptions options, Variable? scale, Variable? shift, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Conv2dGeometry geometry = Require.Convolution(tape, x, filters, bias, stride, padding);
        Require.BatchNorm(tape, geometry.Batch, geometry.OutChannels, options, scale, shift, runningMean, runningVariance);
        bool readable = geometry.InChannels == 1
            ? !x.NeedsGradient
            : x is { Activation: Activation.DeferredBf16 { Stored: var rounded }, RoundedGradient: null } && rounded.Normalization.Halves == options.Halves;
        IStoredKernels? images = readable && filters.NeedsGradient && tape.Device.StoredKernels is { } offered && offered.TakesStored(geometry) ? offered : null;
        IFusedKernels? kernels = images ?? tape.Device.FusedKernels;
        if (kernels == null)
        {
            return tape.BatchNorm(tape.Conv2d(x, filters, bias, stride, padding), options, scale, shift, runningMean, runningVariance);
        }

        Tensor<float> mean = tape.Own(tape.Device.Allocate<float>(options.Halves, geometry.OutChannels));
        Tensor<float> inverseDeviation = tape.Own(tape.Device.Allocate<float>(options.Halves, geometry.OutChannels));
        Tensor<float> sums = tape.Own(tape.Device.Allocate<float>(options.Halves, 2, geometry.OutChannels));
        var normalization = new Normalization(options.Halves, options.Relu, mean, inverseDeviation, scale?.Value, shift?.Value);
        if (images != null)
        {
            return tape.StoredStage(images, geometry, x, filters, bias, options, scale, shift, runningMean, runningVariance, normalization, sums);
        }

        Tensor<float> y = tape.Own(tape.Device.Allocate<float>(geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels));
        var output = new NormalizedActivation(y, normalization, sums);

        // A normalized input is read as it is stored, if it has as many halves.
        NormalizedActivation? input = x.Activation is Activation.Deferred { Stored: var deferred } && deferred.Normalization.Halves == options.Halves ? deferred : null;
        Tensor<float> stored = input?.X ?? x.Value, bank = filters.Value;
        Tensor<float>? biasValue = bias?.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dBias = bias?.ClaimIfNeeded(), dScale = scale?.ClaimIfNeeded(), dShift = shift?.ClaimIfNeeded();
        Tensor<float>? dFilters = filters.ClaimIfNeeded() ?? (dBias == null ? null : tape.Own(tape.Device.Allocate<float>(filters.Shape)));
        Variable result = tape.Deferred(new Activation.Deferred(output), (dx ?? dFilters ?? dScale ?? dShift) != null);
        tape.Record(
            result,
            () => kernels.Conv2dForward(geometry, stored, input?.Normalization, bank, biasValue, y, options, mean, inverseDeviation, runningMean,
                runningVariance),
            !result.NeedsGradient ? null : () =>
            {
                Tensor<float> gradient = result.Gradient!;
                if (!result.SumsGathered)
                {
                    kernels.NormalizationSums(output, gradient);
                }

                if (dScale != null || dShift != null)
                {
                    kernels.NormalizationAffineGradient(normalization, sums, dScale, dShift);
                }

                if (dFilters != null)
                {
                    kernels.Conv2dBackwardFilter(geometry, stored, input?.Normalization, output, gradient, dFilters, dBias);
                }

                if (dx != null)
                {
                    // The sums of the input are complete only if no other reader adds to its gradient.
                    bool gather = input != null && x.HasOneReader;
                    kernels.Conv2dBackwardData(geometry, output, gradient, bank, dx, gather ? input : null);
                    x.SumsGathered = gather;
                }
            });
        return result;
    }

    /// <summary>The same on kernels that keep activations as bf16.</summary>
    private static Variable StoredStage(this Tape tape, IStoredKernels kernels, Conv2dGeometry geometry, Variable x, Variable filters, Variable? bias,
        BatchNormOptions options, Variable? scale, Variable? shift, Tensor<float> runningMean, Tensor<float> runningVariance, Normalization normalization,
        Tensor<float> sums)
    {
        Tensor<ushort> y = tape.Own(tape.Device.Allocate<ushort>(geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels));
        var output = new Bf16Activation(y, normalization, sums);
        Variable result = tape.Deferred(new Activation.DeferredBf16(output), needsGradient: true);
        Tensor<float> bank = filters.Value, dFilters = filters.ClaimGradient();
        Tensor<float>? biasValue = bias?.Value, dScale = scale?.ClaimIfNeeded(), dShift = shift?.ClaimIfNeeded();

        // The normalization takes the bias out again: its gradient is zero, and stays so.
        bias?.ClaimIfNeeded();

        Action forward;
        Action<GradientParts> backward;
        if (x.Activation is Activation.DeferredBf16 { Stored: var input })
        {
            Tensor<ushort> packed = tape.Own(tape.Device.Allocate<ushort>(2, bank.Length));
            Tensor<ushort>? dx = x.NeedsGradient ? x.ClaimRoundedGradient() : null;
            forward = () =>
            {
                kernels.PackFilters(geometry, bank, packed);
                kernels.Conv2dForward(geometry, input, packed, biasValue, y, options, normalization.Mean, normalization.InverseDeviation, runningMean,
                    runningVariance);
            };
            backward = gradient =>
            {
                // The sums of the input are complete only if no other reader adds to its gradient.
                kernels.Conv2dBackward(geometry, input, packed, output, gradient, dFilters, dx, gatherSums: dx != null && x.Gradient == null);
            };
        }
        else
        {
            Tensor<float> patches = x.Value;
            forward = () => kernels.Conv2dForward(geometry, patches, bank, biasValue, y, options, normalization.Mean, normalization.InverseDeviation, runningMean,
                runningVariance);
            backward = gradient => kernels.Conv2dBackward(geometry, patches, output, gradient, dFilters);
        }

        tape.Record(result, forward, () =>
        {
            backward(new GradientParts(result.RoundedGradient, result.Gradient));
            if (dScale != null || dShift != null)
            {
                kernels.NormalizationAffineGradient(normalization, sums, dScale, dShift);
            }
        });
        return result;
    }
}
