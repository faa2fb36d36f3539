using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>Records subtractive normalization of [n][h][w][c]: minus the weighted mean of each pixel's neighbourhood, over all channels.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][h][w][c].</param>
    /// <param name="weights">[k][k], k odd; they are not trained, and the caller keeps them. <see cref="Kernels.SubtractiveNorm.GaussianWeights"/> makes some.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">An argument is of another tape or device, or the shapes are others.</exception>
    public static Variable SubtractiveNorm(this Tape tape, Variable x, Tensor<float> weights)
    {
        Require.Rank(tape, x, 4, "[n][h][w][c]");
        Require.On(tape, weights);
        if (weights.Shape.Length != 2 || weights.Shape[0] != weights.Shape[1] || weights.Shape[0] % 2 == 0)
        {
            throw new ArgumentException($"weights are {Require.Shape(weights.Shape)}, they must be [k][k] with k odd", nameof(weights));
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();

        // The gradient of the output becomes that of the input where it lies.
        Variable y = tape.Result(x.Shape, x.NeedsGradient, dx);
        tape.Record(
            y,
            () => kernels.SubtractiveNormForward(input, weights, y.Value),
            dx == null ? null : () => kernels.SubtractiveNormBackward(weights, y.Gradient!, dx));
        return y;
    }
}
