using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>Records y = tanh(x).</summary>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">x is of another tape.</exception>
    public static Variable Tanh(this Tape tape, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();

        // The gradient of the output becomes that of the input where it lies.
        Variable y = tape.Result(x.Shape, x.NeedsGradient, dx);
        tape.Record(y, () => kernels.TanhForward(input, y.Value), dx == null ? null : () => kernels.TanhBackward(y.Value, y.Gradient!, dx));
        return y;
    }
}
