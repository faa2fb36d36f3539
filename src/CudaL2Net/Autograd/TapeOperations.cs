using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>The differentiable operations, as recorded on a <see cref="Tape"/>. Each runs the kernel of the same name.</summary>
public static partial class TapeOperations
{
    /// <summary>Records the gathering of a batch: byte patches by their indices, turned by one of the 8 symmetries of the square (the same for both patches of a
    /// pair) and normalized.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="patches">All patches, [count][s][s] with s = 32 or 64.</param>
    /// <param name="indices">Rows of <paramref name="patches"/>; the batch's rows begin at the step's <see cref="StepParameters.BatchOffset"/>.</param>
    /// <param name="step">The step's parameters, [1].</param>
    /// <param name="options">Normalization with its numbers, augmentation and seed.</param>
    /// <param name="meanImage">[s][s], subtracted first by <see cref="PatchNormalization.L2Net"/> and <see cref="PatchNormalization.Fixed"/>; null means
    /// zero.</param>
    /// <param name="rows">How many: 2p where patches are turned, the first patches of p pairs, then the second ones.</param>
    /// <returns>[rows][s][s][1]; needs no gradient. A row is NaN if the step's offset points outside the indices, or the index outside the patches.</returns>
    /// <exception cref="ArgumentException">A tensor is of another device or shape, patches are turned and the number of rows is odd, there are fewer indices, or a
    /// number of the options is out of its range.</exception>
    public static Variable GatherPatches(this Tape tape, Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, GatherOptions options,
        Tensor<float>? meanImage, int rows)
    {
        Require.On(tape, patches);
        Require.On(tape, indices);
        if (rows < 1 || rows > indices.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(rows), rows, $"rows must be at least 1, and at most {indices.Length}, the number of indices");
        }

        Require.Step(tape, step);
        Require.Defined(options.Normalization);
        Require.Defined(options.Augmentation);
        if (meanImage != null)
        {
            Require.On(tape, meanImage);
        }

        IKernels kernels = tape.Device.Kernels;
        int side = options.RequireSide(patches.Shape, meanImage == null ? [] : meanImage.Shape, [rows, patches.Shape[^1], patches.Shape[^1], 1]);
        Variable output = tape.Result([rows, side, side, 1], needsGradient: false);
        tape.Record(output, () => kernels.GatherPatches(patches, indices, step, options, meanImage, output.Value), null);
        return output;
    }

    /// <summary>Records a convolution: x [n][h][w][in], filters [out][kh][kw][in], bias [out] or null.</summary>
    /// <returns>[n][oh][ow][out].</returns>
    /// <exception cref="ArgumentException">An argument is of another tape or shape, or the filter does not fit into the padded image.</exception>
    public static Variable Conv2d(this Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding)
    {
        Conv2dGeometry geometry = Require.Convolution(tape, x, filters, bias, stride, padding);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value, bank = filters.Value;
        Tensor<float>? biasValue = bias?.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dBias = bias?.ClaimIfNeeded();

        // The gradient of a bias comes with that of the filters.
        Tensor<float>? dFilters = filters.ClaimIfNeeded() ?? (dBias == null ? null : tape.Own(tape.Device.Allocate<float>(filters.Shape)));
        Variable y = tape.Result([geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels], (dx ?? dFilters) != null);
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

    /// <summary>Records batch normalization with batch statistics per half, then ReLU if the options say so. Scale and shift, [c], may be null for 1 and 0.
    /// The running statistics, [c], are moved once per half in every forward pass.</summary>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">An argument is of another tape, device or shape, an option is out of range, or the batch does not divide into
    /// halves.</exception>
    public static Variable BatchNorm(this Tape tape, Variable x, BatchNormOptions options, Variable? scale, Variable? shift, Tensor<float> runningMean,
        Tensor<float> runningVariance)
    {
        Require.On(tape, x);
        int channels = x.Shape[^1];
        Require.BatchNorm(tape, x.Shape[0], channels, options, scale, shift, runningMean, runningVariance);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? scaleValue = scale?.Value, shiftValue = shift?.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dScale = scale?.ClaimIfNeeded(), dShift = shift?.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, (dx ?? dScale ?? dShift) != null, dx);
        Tensor<float> mean = tape.Own(tape.Device.Allocate<float>(options.Halves, channels));
        Tensor<float> inverseDeviation = tape.Own(tape.Device.Allocate<float>(options.Halves, channels));
        tape.Record(
            y,
            () => kernels.BatchNormForward(options, input, scaleValue, shiftValue, mean, inverseDeviation, runningMean, runningVariance, y.Value),

            // Where nobody wants the gradient of the input, it takes the place of that of the output.
            !y.NeedsGradient ? null : () => kernels.BatchNormBackward(options, input, scaleValue, shiftValue, mean, inverseDeviation, y.Gradient!,
                dx ?? y.Gradient!, dScale, dShift));
        return y;
    }

    /// <summary>Records max(0, x).</summary>
    /// <exception cref="ArgumentException">x is of another tape.</exception>
    public static Variable Relu(this Tape tape, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.ReluForward(input, y.Value), dx == null ? null : () => kernels.ReluBackward(input, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records dropout; with rate 0 nothing is recorded.</summary>
    /// <exception cref="ArgumentException">x is of another tape, step of another device or not [1], or the rate is out of range.</exception>
    public static Variable Dropout(this Tape tape, Variable x, DropoutOptions options, Tensor<StepParameters> step)
    {
        Require.On(tape, x);
        Require.Step(tape, step);
        if (!(options.Rate >= 0 && options.Rate < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Rate, "the rate of dropout must be at least 0 and below 1");
        }

        if (options.Rate == 0)
        {
            return x;
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.Dropout(options, step, input, y.Value), dx == null ? null : () => kernels.Dropout(options, step, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records local response normalization across channels.</summary>
    /// <exception cref="ArgumentException">x is of another tape or has other channels, or an option is out of range.</exception>
    public static Variable Lrn(this Tape tape, Variable x, LrnOptions options)
    {
        Require.On(tape, x);
        if (options.Channels != x.Shape[^1])
        {
            throw new ArgumentException($"the options are for {options.Channels} channels, but x is {Require.Shape(x.Shape)}, of {x.Shape[^1]}", nameof(options));
        }

        Require.Within(options.Window, 1, int.MaxValue);
        Require.NotNegative(options.Kappa);
        Require.NotNegative(options.Alpha);
        Require.Finite(options.Beta);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, x.NeedsGradient);
        tape.Record(y, () => kernels.LrnForward(options, input, y.Value), dx == null ? null : () => kernels.LrnBackward(options, input, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the unit vector of each row of [n][d] (or [n][1][1][d]).</summary>
    /// <returns>[n][d].</returns>
    /// <exception cref="ArgumentException">x is of another tape.</exception>
    public static Variable UnitVector(this Tape tape, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Variable y = tape.Result([x.Shape[0], x.Length / x.Shape[0]], x.NeedsGradient);
        Tensor<float>? dx = x.ClaimIfNeeded();
        tape.Record(y, () => kernels.UnitVectorForward(input, y.Value), dx == null ? null : () => kernels.UnitVectorBackward(input, y.Gradient!, dx));
        return y;
    }

    /// <summary>Records the concatenation of the rows of two matrices, [n][a] and [n][b].</summary>
    /// <returns>[n][a + b].</returns>
    /// <exception cref="ArgumentException">An argument is of another tape or no matrix, or the numbers of rows differ.</exception>
    public static Variable Concatenate(this Tape tape, Variable left, Variable right)
    {
        Require.Rank(tape, left, 2, "[n][a]");
        Require.Rank(tape, right, 2, "[n][b]");
        if (left.Shape[0] != right.Shape[0])
        {
            throw new ArgumentException(
                $"right is {Require.Shape(right.Shape)}, left is {Require.Shape(left.Shape)}: both must have the same number of rows", nameof(right));
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> leftValue = left.Value, rightValue = right.Value;
        int a = left.Shape[1], b = right.Shape[1];
        Variable y = tape.Result([left.Shape[0], a + b], left.NeedsGradient || right.NeedsGradient);
        Tensor<float>? dLeft = left.ClaimIfNeeded(), dRight = right.ClaimIfNeeded();
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
}
