using System.Runtime.CompilerServices;
using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>
/// Convolutions by cuDNN with all tensors in bfloat16. Between them batch normalization and ReLU are passes of this library's, one each to gather statistics, to
/// normalize, to sum gradients and to finish them: cuDNN would need one call per half and another for ReLU.
/// </summary>
internal sealed unsafe partial class VendorDevice : IStoredKernels
{
    // What the forward pass has normalized, or patches that it has rounded, for the backward pass; by the tensors that they were made of.
    private readonly ConditionalWeakTable<object, Tensor<ushort>> inputs = [];

    bool IStoredKernels.TakesStored(in Conv2dGeometry geometry) =>
        Precision == Precision.Bf16 && geometry.OutChannels % StoredChannels == 0 && (geometry.InChannels == 1 || geometry.InChannels % StoredChannels == 0);

    // The second half is for the gradient, which cuDNN rounds as well.
    void IStoredKernels.PackFilters(in Conv2dGeometry geometry, Tensor<float> filters, Tensor<ushort> packed)
    {
        Round(filters.Pointer, packed.Pointer, filters.Length);
    }

    void IStoredKernels.Conv2dForward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Tensor<ushort> x = Keep(input.X, input.X.Shape);
        Normalize(input.X, input.Normalization, x);
        Convolution(geometry, x, packed.Length / 2, y).Run(CudaDnnConvolutionPass.Forward, (nint)x.Pointer, (nint)packed.Pointer, (nint)y.Pointer);
        BatchStatistics(options, y, bias, mean, inverseDeviation, runningMean, runningVariance);
    }

    void IStoredKernels.Conv2dForward(in Conv2dGeometry geometry, Tensor<float> patches, Tensor<float> filters, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Tensor<ushort> x = Keep(patches, patches.Shape);
        Round(patches.Pointer, x.Pointer, x.Length);
        ushort* bank = (ushort*)Scratch((nuint)filters.Length * sizeof(ushort));
        Round(filters.Pointer, bank, filters.Length);
        Convolution(geometry, x, filters.Length, y).Run(CudaDnnConvolutionPass.Forward, (nint)x.Pointer, (nint)bank, (nint)y.Pointer);
        BatchStatistics(options, y, bias, mean, inverseDeviation, runningMean, runningVariance);
    }

    void IStoredKernels.Conv2dBackward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Bf16Activation output,
        GradientParts gradient, Tensor<float> dFilters, Tensor<ushort>? dInput, bool gatherSums)
    {
        Tensor<ushort> x = Kept(input.X);
        ushort* dy = Finish(output, gradient), dBank = packed.Pointer + (packed.Length / 2);
        VendorConvolution convolution = Convolution(geometry, x, dFilters.Length, output.X);
        convolution.Run(CudaDnnConvolutionPass.BackwardFilter, (nint)x.Pointer, (nint)dBank, (nint)dy);
        Widen(dBank, dFilters.Pointer, dFilters.Length);
        if (dInput == null)
        {
            return;
        }

        convolution.Run(CudaDnnConvolutionPass.BackwardData, (nint)dInput.Pointer, (nint)packed.Pointer, (nint)dy);
        if (gatherSums)
        {
            NormalizationSums(input, dInput);
        }
    }

    void IStoredKernels.Conv2dBackward(
        in Conv2dGeometry geometry, Tensor<float> patches, Bf16Activation output, GradientParts gradient, Tensor<float> dFilters)
    {
        Tensor<ushort> x = Kept(patches);
        ushort* dy = Finish(output, gradient, dFilters.Length), dBank = dy + Aligned(output.X.Length);
        Convolution(geometry, x, dFilters.Length, output.X).Run(CudaDnnConvolutionPass.BackwardFilter, (nint)x.Pointer, (nint)dBank, (nint)dy);
        Widen(dBank, dFilters.Pointer, dFilters.Length);
    }

    // Of bf16, so that what follows begins at a multiple of 256 bytes.
    private static long Aligned(long length) => (length + 127) / 128 * 128;

    private Tensor<ushort> Keep(object source, ReadOnlySpan<int> shape)
    {
        if (!inputs.TryGetValue(source, out Tensor<ushort>? input))
        {
            inputs.Add(source, input = Allocate<ushort>(shape));
        }

        return input;
    }

    private Tensor<ushort> Kept(object source) => inputs.TryGetValue(source, out Tensor<ushort>? input)
        ? input
        : throw new InvalidOperationException("with cuDNN a convolution of bf16 has no backward pass without the forward pass before it");

    /// <summary>The gradient of a convolution's output, rounded, in scratch memory; the output's sums are computed if float32 has a part in it.</summary>
    /// <param name="output">The convolution's normalized output.</param>
    /// <param name="gradient">Of the normalized output.</param>
    /// <param name="more">Further numbers for which there is to be room behind it.</param>
    private ushort* Finish(Bf16Activation output, GradientParts gradient, int more = 0)
    {
        int length = output.X.Length;
        long sums = gradient.Full == null ? 0 : TileSums(output);
        ushort* dy = (ushort*)Scratch((nuint)(((Aligned(length) + Aligned(more)) * sizeof(ushort)) + (sums * sizeof(float))));
        if (gradient.Full != null)
        {
            RoundGradient(output, gradient.Full, gradient.Rounded, dy, (float*)(dy + Aligned(length) + Aligned(more)));
        }

        NormalizationGradient(output, gradient.Full == null ? gradient.Rounded!.Pointer : dy, dy);
        return dy;
    }

    private VendorConvolution Convolution(in Conv2dGeometry g, Tensor<ushort> x, int filters, Tensor<ushort> y)
    {
        return Convolution(g, filters);
    }
}
