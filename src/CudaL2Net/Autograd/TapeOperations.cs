using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>The differentiable operations, as recorded on a <see cref="Tape"/>. Each runs the kernel of the same name.</summary>
public static partial class TapeOperations
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
        Tensor<float> input = x.Value;
        Conv2dGeometry geometry = ConvolutionGeometry(x, filters, stride, padding);
        bool trained = filters.NeedsGradient;
        Variable y = tape.Result([geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels], trained || x.NeedsGradient);
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Tensor<float>? dFilters = trained ? filters.ClaimGradient() : null;
        Tensor<float>? dBias = trained ? bias?.ClaimGradient() : null;
        Tensor<float> bank = filters.Value;
        Tensor<float>? biasValue = bias?.Value;
        tape.Record(y, () => kernels.Conv2dForward(geometry, input, bank, biasValue, y.Value), !y.NeedsGradient ? null : () =>
        {
            if (dFilters != null)
            {
                kernels.Conv2dBackwardFilter(geometry, input, y.Gradient!, dFilters, dBias);
            }

            if (dx != null)
            {
                kernels.Conv2dBackwardData(geometry, y.Gradient!, bank, dx);
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
        Tensor<float> input = x.Value;
        int channels = x.Shape[^1];
        RequireSides(x.Shape[0], options);

        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Shape, x.NeedsGradient, dx);
        Tensor<float> mean = tape.Own(tape.Device.Allocate<float>(options.Sides, channels));
        Tensor<float> inverseDeviation = tape.Own(tape.Device.Allocate<float>(options.Sides, channels));
        Tensor<float>? dScale = scale?.ClaimGradient(), dShift = shift?.ClaimGradient();
        Tensor<float>? scaleValue = scale?.Value, shiftValue = shift?.Value;
        tape.Record(
            y,
            () => kernels.BatchNormForward(options, input, scaleValue, shiftValue, mean, inverseDeviation, runningMean, runningVariance, y.Value),
            dx == null ? null : () => kernels.BatchNormBackward(options, input, scaleValue, shiftValue, mean, inverseDeviation, y.Gradient!, dx, dScale,
                dShift));
        return y;
    }

    /// <summary>Records max(0, x).</summary>
    public static Variable Relu(this Tape tape, Variable x)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.ReluForward(input, y.Value), dx == null ? null : () => kernels.ReluBackward(input, y.Gradient!, dx));
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
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.Dropout(options, step, input, y.Value), dx == null ? null : () => kernels.Dropout(options, step, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records local response normalization across channels.</summary>
    public static Variable Lrn(this Tape tape, Variable x, LrnOptions options)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.LrnForward(options, input, y.Value), dx == null ? null : () => kernels.LrnBackward(options, input, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the unit vector of each row of [n][d] (or [n][1][1][d]).</summary>
    /// <returns>[n][d].</returns>
    public static Variable UnitVector(this Tape tape, Variable x)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Variable y = tape.Result([x.Shape[0], x.Length / x.Shape[0]], x.NeedsGradient);
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        tape.Record(y, () => kernels.UnitVectorForward(input, y.Value), dx == null ? null : () => kernels.UnitVectorBackward(input, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the concatenation of the rows of two matrices, [n][a] and [n][b].</summary>
    /// <returns>[n][a + b].</returns>
    public static Variable Concatenate(this Tape tape, Variable left, Variable right)
    {
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> leftValue = left.Value, rightValue = right.Value;
        int a = left.Shape[1], b = right.Shape[1];
        Variable y = tape.Result([left.Shape[0], a + b], left.NeedsGradient || right.NeedsGradient);
        Tensor<float>? dLeft = left.NeedsGradient ? left.ClaimGradient() : null, dRight = right.NeedsGradient ? right.ClaimGradient() : null;
        tape.Record(
            y,
            () =>
            {
                kernels.CopyColumns(leftValue, 0, y.Value, 0, a);
                kernels.CopyColumns(rightValue, 0, y.Value, a, b);
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

    /// <summary>The sizes of a convolution of x with filters.</summary>
    /// <exception cref="ArgumentException">The channels differ, or the filter does not fit into the padded image.</exception>
    internal static Conv2dGeometry ConvolutionGeometry(Variable x, Variable filters, int stride, int padding)
    {
        ReadOnlySpan<int> image = x.Shape, bank = filters.Shape;
        var geometry = new Conv2dGeometry(image[0], image[1], image[2], image[3], bank[0], bank[1], bank[2], stride, padding);
        return bank[3] == image[3] && geometry.OutHeight >= 1 && geometry.OutWidth >= 1
            ? geometry
            : throw new ArgumentException(
                $"filters [{string.Join(", ", bank.ToArray())}] do not fit images [{string.Join(", ", image.ToArray())}] with padding {padding}");
    }

    /// <summary>Throws unless a batch divides into sides.</summary>
    internal static void RequireSides(int batch, BatchNormOptions options)
    {
        if (batch % options.Sides != 0)
        {
            throw new ArgumentException($"a batch of {batch} does not divide into {options.Sides} sides");
        }
    }
}
