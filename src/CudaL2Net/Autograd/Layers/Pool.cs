using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

public static partial class TapeOperations
{
    /// <summary>Records pooling of [n][h][w][c] over square windows: the largest value, the average or the root of the sum of squares.</summary>
    /// <returns>[n][oh][ow][c].</returns>
    /// <exception cref="ArgumentException">x is of another tape or has not four dimensions, an option is out of its range, or no window fits.</exception>
    public static Variable Pool(this Tape tape, Variable x, PoolOptions options)
    {
        Require.Rank(tape, x, 4, "[n][h][w][c]");
        Require.Defined(options.Kind);
        Require.Within(options.Kernel, 1, PoolOptions.LargestKernel);
        Require.Within(options.Stride, 1, int.MaxValue);
        Require.Within(options.Padding, 0, options.Kernel / 2);
        IKernels kernels = tape.Device.Kernels;
        ReadOnlySpan<int> shape = x.Shape;
        PoolGeometry geometry = options.Over(shape[0], shape[1], shape[2], shape[3]);
        Tensor<float> input = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        int[] pooled = [geometry.Batch, geometry.OutHeight, geometry.OutWidth, geometry.Channels];
        Variable y = tape.Result(pooled, x.NeedsGradient);
        Tensor<ushort>? places = options.Kind == PoolKind.Max && x.NeedsGradient ? tape.Own(tape.Device.Allocate<ushort>(pooled)) : null;
        tape.Record(
            y,
            () => kernels.PoolForward(geometry, input, y.Value, places),
            dx == null ? null : () => kernels.PoolBackward(geometry, input, y.Value, places, y.Gradient!, dx));
        return y;
    }
}
