using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>Operations that move values and compute next to nothing, and the inference form of batch normalization.</summary>
public static class MapOperations
{
    /// <summary>Records the same values under another shape.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="shape">A shape of as many values.</param>
    /// <returns>[shape], in the memory of <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">The shape holds another number of values.</exception>
    public static Variable Reshape(this Tape tape, Variable x, IReadOnlyList<int> shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        Require.On(tape, x);
        long length = 1;
        foreach (int extent in shape)
        {
            length = extent < 0 || length > int.MaxValue ? -1 : length * extent;
        }

        if (shape.Count == 0 || length != x.Length)
        {
            throw new ArgumentException($"{x.Length} values [{string.Join(", ", x.Shape.ToArray())}] do not fill [{string.Join(", ", shape)}]", nameof(shape));
        }

        Tensor<float>? gradient = x.ClaimIfNeeded()?.View(0, [.. shape]);
        Variable y = tape.View(x.Value.View(0, [.. shape]), gradient != null, gradient);
        if (gradient != null)
        {
            // The gradient lies where that of x does; only the parts of several readers are added up here.
            tape.Record(y, () => { }, () => { });
        }

        return y;
    }

    /// <summary>Records each row's values as one vector, [n][values]; a matrix stays as it is.</summary>
    internal static Variable Flatten(this Tape tape, Variable x) => x.Shape.Length == 2 ? x : tape.Reshape(x, [x.Shape[0], x.Length / x.Shape[0]]);

    /// <summary>Records the outputs of towers, flattened, one behind the other: [n][all values].</summary>
    internal static Variable Join(this Tape tape, IEnumerable<Variable> outputs) => outputs.Select(tape.Flatten).Aggregate(tape.Concatenate);

    /// <summary>Records y = factor x + term per channel, without gradients: batch normalization in inference.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...][c].</param>
    /// <param name="factors">[c].</param>
    /// <param name="terms">[c].</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    internal static Variable ChannelAffine(this Tape tape, Variable x, Tensor<float> factors, Tensor<float> terms)
    {
        var kernels = (IFusedKernels)tape.Device.Kernels;
        Tensor<float> input = x.Value, zeros = tape.Own(tape.Device.Allocate<float>(1, factors.Length));
        var normalization = new Normalization(1, false, zeros, factors.View(0, 1, factors.Length), null, terms);
        Variable y = tape.Result(x.Shape, needsGradient: false);
        tape.Record(y, () => kernels.Normalize(input, normalization, y.Value), null);
        return y;
    }

    /// <summary>Records a convolution for inference, without gradients: an image's numbers do not depend on how many there are.</summary>
    /// <inheritdoc cref="TapeOperations.Conv2d"/>
    internal static Variable FoldedConvolution(this Tape tape, Variable x, Variable filters, Variable? bias, int stride, int padding)
    {
        IKernels kernels = tape.Device.Kernels;
        Conv2dGeometry geometry = Require.Convolution(tape, x, filters, bias, stride, padding);
        Tensor<float> input = x.Value, bank = filters.Value;
        Tensor<float>? added = bias?.Value;
        Variable y = tape.Result([geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels], needsGradient: false);
        tape.Record(y, () => kernels.FoldedConvolution(geometry, input, bank, added, relu: false, y.Value), null);
        return y;
    }

    /// <summary>Records pairs as channels, without gradients: row i of the result holds the channels of rows i and n + i of <paramref name="x"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[2n][...][c].</param>
    /// <returns>[n][...][2c].</returns>
    internal static Variable JoinChannels(this Tape tape, Variable x)
    {
        IKernels kernels = tape.Device.Kernels;
        int channels = x.Shape[^1], half = x.Length / 2, places = half / channels;
        int[] shape = x.Shape.ToArray();
        shape[0] /= 2;
        shape[^1] *= 2;
        Variable y = tape.Result(shape, needsGradient: false);
        Tensor<float> first = x.Value.View(0, places, channels), second = x.Value.View(half, places, channels), joined = y.Value.View(0, places, 2 * channels);
        tape.Record(
            y,
            () =>
            {
                kernels.CopyColumns(first, 0, joined, 0, channels);
                kernels.CopyColumns(second, 0, joined, channels, channels);
            },
            null);
        return y;
    }
}
