using CudaL2Net.Autograd;
using CudaL2Net.Devices;
using CudaL2Net.Tensors;

namespace CudaL2Net.Operations;

/// <summary>The differentiable operations, as recorded on a <see cref="Tape"/>. Each runs the kernel of the same name.</summary>
public static class TapeOperations
{
    /// <summary>Records <see cref="IKernels.GatherPatches"/>.</summary>
    /// <returns>[2p][32][32][1]; needs no gradient.</returns>
    public static Variable GatherPatches(this Tape tape, Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, GatherOptions options,
        Tensor<float>? meanImage, int rows)
    {
        IKernels kernels = tape.Device.Kernels;
        Variable output = tape.Result([rows, FoldedNetwork.InputSide, FoldedNetwork.InputSide, 1], needsGradient: false);
        tape.Record(output, () => kernels.GatherPatches(patches, indices, step, options, meanImage, output.Value), null);
        return output;
    }

    /// <summary>Records a convolution: x [n][h][w][in], filters [out][kh][kw][in], bias [out] or null.</summary>
    /// <returns>[n][oh][ow][out].</returns>
    /// <exception cref="ArgumentException">The channels differ, or the filter does not fit into the padded image.</exception>
    public static Variable Conv2d(this Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding)
    {
        IKernels kernels = tape.Device.Kernels;
        ReadOnlySpan<int> image = x.Value.Shape, bank = filters.Value.Shape;
        var geometry = new Conv2dGeometry(image[0], image[1], image[2], image[3], bank[0], bank[1], bank[2], stride, padding);
        if (bank[3] != image[3] || geometry.OutHeight < 1 || geometry.OutWidth < 1)
        {
            throw new ArgumentException(
                $"filters [{string.Join(", ", bank.ToArray())}] do not fit images [{string.Join(", ", image.ToArray())}] with padding {padding}");
        }

        bool trained = filters.NeedsGradient;
        Variable y = tape.Result([geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels], trained || x.NeedsGradient);
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Tensor<float>? dFilters = trained ? filters.ClaimGradient() : null;
        Tensor<float>? dBias = trained ? bias?.ClaimGradient() : null;
        Tensor<float>? biasValue = bias?.Value;
        tape.Record(y, () => kernels.Conv2dForward(geometry, x.Value, filters.Value, biasValue, y.Value), !y.NeedsGradient ? null : () =>
        {
            if (dFilters != null)
            {
                kernels.Conv2dBackwardFilter(geometry, x.Value, y.Gradient!, dFilters, dBias);
            }

            if (dx != null)
            {
                kernels.Conv2dBackwardData(geometry, y.Gradient!, filters.Value, dx);
            }
        });
        return y;
    }

    /// <summary>Records batch normalization with batch statistics per side, then ReLU if the options say so. Scale and shift, [c], may be null for 1 and
    /// 0.</summary>
    /// <returns>Like <paramref name="x"/>.</returns>
    public static Variable BatchNorm(this Tape tape, Variable x, BatchNormOptions options, Variable? scale, Variable? shift, Tensor<float> runningMean,
        Tensor<float> runningVariance)
    {
        IKernels kernels = tape.Device.Kernels;
        int channels = x.Value.Shape[^1];
        if (x.Value.Shape[0] % options.Sides != 0)
        {
            throw new ArgumentException($"a batch of {x.Value.Shape[0]} does not divide into {options.Sides} sides");
        }

        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Value.Shape, x.NeedsGradient, dx);
        Tensor<float> mean = tape.Own(tape.Device.Allocate<float>(options.Sides, channels));
        Tensor<float> inverseDeviation = tape.Own(tape.Device.Allocate<float>(options.Sides, channels));
        Tensor<float>? dScale = scale?.ClaimGradient(), dShift = shift?.ClaimGradient();
        Tensor<float>? scaleValue = scale?.Value, shiftValue = shift?.Value;
        tape.Record(
            y,
            () => kernels.BatchNormForward(options, x.Value, scaleValue, shiftValue, mean, inverseDeviation, runningMean, runningVariance, y.Value),
            dx == null ? null : () => kernels.BatchNormBackward(options, x.Value, scaleValue, shiftValue, mean, inverseDeviation, y.Gradient!, dx, dScale,
                dShift));
        return y;
    }

    /// <summary>Records max(0, x).</summary>
    public static Variable Relu(this Tape tape, Variable x)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Value.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.ReluForward(x.Value, y.Value), dx == null ? null : () => kernels.ReluBackward(x.Value, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records dropout; with rate 0 nothing is recorded.</summary>
    public static Variable Dropout(this Tape tape, Variable x, DropoutOptions options, Tensor<StepParameters> step)
    {
        if (options.Rate == 0)
        {
            return x;
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Value.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.Dropout(options, step, x.Value, y.Value), dx == null ? null : () => kernels.Dropout(options, step, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records local response normalization across channels.</summary>
    public static Variable Lrn(this Tape tape, Variable x, LrnOptions options)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Value.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.LrnForward(options, x.Value, y.Value), dx == null ? null : () => kernels.LrnBackward(options, x.Value, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the unit vector of each row of [n][d] (or [n][1][1][d]).</summary>
    /// <returns>[n][d].</returns>
    public static Variable UnitVector(this Tape tape, Variable x)
    {
        IKernels kernels = tape.Device.Kernels;
        Variable y = tape.Result([x.Value.Shape[0], x.Value.Length / x.Value.Shape[0]], x.NeedsGradient);
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        tape.Record(y, () => kernels.UnitVectorForward(x.Value, y.Value), dx == null ? null : () => kernels.UnitVectorBackward(x.Value, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the concatenation of the rows of two matrices, [n][a] and [n][b].</summary>
    /// <returns>[n][a + b].</returns>
    public static Variable Concatenate(this Tape tape, Variable left, Variable right)
    {
        IKernels kernels = tape.Device.Kernels;
        int a = left.Value.Shape[1], b = right.Value.Shape[1];
        Variable y = tape.Result([left.Value.Shape[0], a + b], left.NeedsGradient || right.NeedsGradient);
        Tensor<float>? dLeft = left.NeedsGradient ? left.ClaimGradient() : null, dRight = right.NeedsGradient ? right.ClaimGradient() : null;
        tape.Record(
            y,
            () =>
            {
                kernels.CopyColumns(left.Value, 0, y.Value, 0, a);
                kernels.CopyColumns(right.Value, 0, y.Value, a, b);
            },
            !y.NeedsGradient ? null : () =>
            {
                if (dLeft != null)
                {
                    kernels.CopyColumns(y.Gradient!, 0, dLeft, 0, a);
                }

                if (dRight != null)
                {
                    kernels.CopyColumns(y.Gradient!, a, dRight, 0, b);
                }
            });
        return y;
    }
}
