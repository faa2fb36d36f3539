using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>
    /// Records filter response normalization with its thresholded linear unit: y = max(scale x / sqrt(nu^2 + epsilon) + shift, threshold), nu^2 the mean of x^2
    /// over the pixels of an image, per channel (Singh, Krishnan 2020: gamma, beta and tau). Epsilon is fixed, as in HyNet, which takes 1e-6.
    /// </summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...][c].</param>
    /// <param name="epsilon">Added to nu^2, above 0.</param>
    /// <param name="scale">[c], or null for 1.</param>
    /// <param name="shift">[c], or null for 0.</param>
    /// <param name="threshold">[c], or null for no thresholded unit.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">An argument is of another tape, epsilon is not above 0, or a parameter is not [c].</exception>
    public static Variable FilterResponseNorm(this Tape tape, Variable x, float epsilon, Variable? scale, Variable? shift, Variable? threshold)
    {
        Require.On(tape, x);
        Require.Positive(epsilon);
        int channels = x.Shape[^1];
        Require.Channels(tape, scale, channels);
        Require.Channels(tape, shift, channels);
        Require.Channels(tape, threshold, channels);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> input = x.Value, inverse = tape.Own(tape.Device.Allocate<float>(x.Shape[0], channels));
        Tensor<float>? scales = scale?.Value, shifts = shift?.Value, thresholds = threshold?.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dScale = scale?.ClaimIfNeeded(), dShift = shift?.ClaimIfNeeded(), dThreshold = threshold?.ClaimIfNeeded();
        bool needed = dx != null || dScale != null || dShift != null || dThreshold != null;

        // The gradient of the output becomes that of the input where it lies.
        Variable y = tape.Result(x.Shape, needed, dx);
        tape.Record(
            y,
            () => kernels.FilterResponseNormForward(epsilon, input, scales, shifts, thresholds, inverse, y.Value),
            !needed ? null : () => kernels.FilterResponseNormBackward(input, scales, shifts, thresholds, inverse, y.Gradient!, dx, dScale, dShift, dThreshold));
        return y;
    }
}
