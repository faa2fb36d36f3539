using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>
    /// Records the pairs that a network which scores pairs is trained on, as many matching as not: rows i below p take the channels of x_i, then of x_(p + i), a
    /// pair that matches; rows p + i take those of x_i, then of x_(p + (i + 1) mod p), a pair that does not. On patches it makes the input of a two-channel
    /// network, on features the input of a siamese network's head.
    /// </summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[2p][...][c], p at least 2: the first patches of p pairs, then the second ones.</param>
    /// <returns>[2p][...][2c].</returns>
    /// <exception cref="ArgumentException">x is of another tape, has fewer than two dimensions, or its rows are odd in number or fewer than 4.</exception>
    public static Variable PairChannels(this Tape tape, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        int[] shape = x.Shape.ToArray();
        shape[^1] *= 2;
        _ = PairChannelsGeometry.Of(x.Shape, shape);
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.NeedsGradient ? x.ClaimGradient() : null;
        Variable y = tape.Result(shape, x.NeedsGradient);
        tape.Record(y, () => kernels.PairChannelsForward(input, y.Value), dx == null ? null : () => kernels.PairChannelsBackward(y.Gradient!, dx));
        return y;
    }
}
