using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>
    /// Records y = x W^T + b on the values of each row, [n][...] taken as [n][in]: an image's values are in the order row, column, channel. It runs the kernels
    /// of a convolution on images of one pixel with <c>in</c> channels, which is a plain matrix product; on CUDA in the device's precision.
    /// </summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...], <c>in</c> values per row.</param>
    /// <param name="weights">[out][in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <returns>[n][out].</returns>
    /// <exception cref="ArgumentException">An argument is of another tape, the weights are not a matrix of as many columns as a row of x has values, or the bias is not [out].</exception>
    public static Variable Linear(this Tape tape, Variable x, Variable weights, Variable? bias)
    {
        Require.On(tape, x);
        Require.On(tape, weights);
        int batch = x.Shape[0], inputs = x.Length / batch;
        ReadOnlySpan<int> matrix = weights.Shape;
        if (matrix.Length != 2 || matrix[1] != inputs)
        {
            throw new ArgumentException(
                $"weights are {Require.Shape(matrix)}, but a row of x has {inputs} values: they must be [out][{inputs}]", nameof(weights));
        }

        Require.Channels(tape, bias, matrix[0]);
        IKernels kernels = tape.Device.Kernels;
        var geometry = new Conv2dGeometry(batch, 1, 1, inputs, matrix[0], 1, 1, 1, 0);
        Tensor<float> input = x.Value, matrixValue = weights.Value;
        Tensor<float>? biasValue = bias?.Value, dx = x.ClaimIfNeeded(), dBias = bias?.ClaimIfNeeded();

        // The kernel that sums the bias's gradient writes that of the weights as well.
        Tensor<float>? dWeights = weights.ClaimIfNeeded() ?? (dBias == null ? null : tape.Own(tape.Device.Allocate<float>(matrix)));
        Variable y = tape.Result([batch, matrix[0]], dx != null || dWeights != null);
        tape.Record(y, () => kernels.Conv2dForward(geometry, input, matrixValue, biasValue, y.Value), !y.NeedsGradient ? null : () =>
        {
            if (dWeights != null)
            {
                kernels.Conv2dBackwardFilter(geometry, input, y.Gradient!, dWeights, dBias);
            }

            if (dx != null)
            {
                kernels.Conv2dBackwardData(geometry, y.Gradient!, matrixValue, dx);
            }
        });
        return y;
    }
}
