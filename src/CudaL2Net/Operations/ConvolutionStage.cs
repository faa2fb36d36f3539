using CudaL2Net.Autograd;
using CudaL2Net.Devices;
using CudaL2Net.Tensors;

namespace CudaL2Net.Operations;

/// <summary>Convolution and batch normalization as one recorded operation.</summary>
public static class ConvolutionStage
{
    /// <summary>
    /// Records a convolution, batch normalization and, if the options say so, ReLU. Where the device offers <see cref="IFusedKernels"/>, neither the normalized
    /// activation nor the gradient of the convolution's output is ever stored: whoever reads the one or the other computes it.
    /// </summary>
    /// <returns>[n][oh][ow][out].</returns>
    /// <exception cref="ArgumentException">The channels differ, the filter does not fit, or the batch does not divide into sides.</exception>
    public static Variable ConvolutionBatchNorm(this Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding,
        BatchNormOptions options, Variable? scale, Variable? shift, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        if (tape.Device.FusedKernels is not { } kernels)
        {
            return tape.BatchNorm(tape.Conv2d(x, filters, bias, stride, padding), options, scale, shift, runningMean, runningVariance);
        }

        Conv2dGeometry geometry = TapeOperations.ConvolutionGeometry(x, filters, stride, padding);
        TapeOperations.RequireSides(geometry.Batch, options);
        Tensor<float> y = tape.Own(tape.Device.Allocate<float>(geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels));
        Tensor<float> mean = tape.Own(tape.Device.Allocate<float>(options.Sides, geometry.OutChannels));
        Tensor<float> inverseDeviation = tape.Own(tape.Device.Allocate<float>(options.Sides, geometry.OutChannels));
        Tensor<float> sums = tape.Own(tape.Device.Allocate<float>(options.Sides, 2, geometry.OutChannels));
        var normalization = new Normalization(options.Sides, options.Relu, mean, inverseDeviation, scale?.Value, shift?.Value);
        var output = new NormalizedActivation(y, normalization, sums);

        // A normalized input is read as it is stored.
        NormalizedActivation? input = x.Deferred;
        Tensor<float> stored = input?.X ?? x.Value, bank = filters.Value;
        Tensor<float>? biasValue = bias?.Value;
        Variable result = tape.Deferred(output, filters.NeedsGradient || x.NeedsGradient);
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null, dFilters = filters.NeedsGradient ? filters.ClaimGradient() : null;
        Tensor<float>? dBias = bias is { NeedsGradient: true } ? bias.ClaimGradient() : null, dScale = scale?.ClaimGradient(), dShift = shift?.ClaimGradient();
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
                    kernels.NormalizationAffineGradient(output, dScale, dShift);
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
}
