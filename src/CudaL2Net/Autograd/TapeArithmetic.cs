using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>Arithmetic element by element, as recorded on a <see cref="Tape"/>: what losses of your own are put together from.</summary>
public static class TapeArithmetic
{
    /// <summary>Records x + y.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="y">The same shape.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">The shapes differ, or a variable is of another tape.</exception>
    public static Variable Add(this Tape tape, Variable x, Variable y) => Sum(tape, x, 1, y);

    /// <summary>Records x - y.</summary>
    /// <inheritdoc cref="Add"/>
    public static Variable Subtract(this Tape tape, Variable x, Variable y) => Sum(tape, x, -1, y);

    /// <summary>Records x y, element by element; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    /// <inheritdoc cref="Add"/>
    public static Variable Multiply(this Tape tape, Variable x, Variable y)
    {
        RequireSameShape(tape, x, y);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> left = x.Value, right = y.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dy = y.ClaimIfNeeded();
        Variable z = tape.Result(x.Shape, dx != null || dy != null);
        tape.Record(z, () => kernels.Multiply(left, right, z.Value), !z.NeedsGradient ? null : () =>
        {
            if (dx != null)
            {
                kernels.Multiply(z.Gradient!, right, dx);
            }

            if (dy != null)
            {
                kernels.Multiply(z.Gradient!, left, dy);
            }
        });
        return z;
    }

    /// <summary>Records factor x + term.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="factor">Multiplies each value.</param>
    /// <param name="term">Is added to each value then.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">The variable is of another tape, or a number is not finite.</exception>
    public static Variable Affine(this Tape tape, Variable x, float factor, float term = 0)
    {
        Require.On(tape, x);
        Require.Finite(factor);
        Require.Finite(term);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, dx != null);
        tape.Record(y, () => kernels.Combine(factor, input, 0, null, term, y.Value),
            dx == null ? null : () => kernels.Combine(factor, y.Gradient!, 0, null, 0, dx));
        return y;
    }

    /// <summary>Records e^x, element by element.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Any shape.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">The variable is of another tape.</exception>
    public static Variable Exp(this Tape tape, Variable x) => Function(tape, ElementFunction.Exp, x);

    /// <summary>Records the natural logarithm of each value; of 0 it is minus infinity, below NaN.</summary>
    /// <inheritdoc cref="Exp"/>
    public static Variable Log(this Tape tape, Variable x) => Function(tape, ElementFunction.Log, x);

    /// <summary>Records the square root of each value. Its gradient at 0 is infinite: add something small before.</summary>
    /// <inheritdoc cref="Exp"/>
    public static Variable SquareRoot(this Tape tape, Variable x) => Function(tape, ElementFunction.SquareRoot, x);

    private static Variable Sum(Tape tape, Variable x, float sign, Variable y)
    {
        RequireSameShape(tape, x, y);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> left = x.Value, right = y.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dy = y.ClaimIfNeeded();
        Variable z = tape.Result(x.Shape, dx != null || dy != null);
        tape.Record(z, () => kernels.Combine(1, left, sign, right, 0, z.Value), !z.NeedsGradient ? null : () =>
        {
            dx?.CopyFrom(z.Gradient!);
            if (dy != null)
            {
                kernels.Combine(sign, z.Gradient!, 0, null, 0, dy);
            }
        });
        return z;
    }

    private static Variable Function(Tape tape, ElementFunction function, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, dx != null);
        tape.Record(y, () => kernels.FunctionForward(function, input, y.Value),
            dx == null ? null : () => kernels.FunctionBackward(function, input, y.Value, y.Gradient!, dx));
        return y;
    }

    private static void RequireSameShape(Tape tape, Variable x, Variable y)
    {
        Require.On(tape, x);
        Require.On(tape, y);
        if (!x.Shape.SequenceEqual(y.Shape))
        {
            throw new ArgumentException($"x is {Require.Shape(x.Shape)} and y is {Require.Shape(y.Shape)}: they must be alike", nameof(y));
        }
    }
}
