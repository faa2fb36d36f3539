using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>Operations on the rows of a batch, as recorded on a <see cref="Tape"/>. A row of [n][...] is all that lies under one index of n.</summary>
public static class TapeRows
{
    // Kernels load four floats at once, so a tensor begins at a multiple of as many.
    private const int FloatsOfAVector = 4;

    /// <summary>Records some rows of a batch. No value is copied if the rows begin at a multiple of 16 bytes.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...].</param>
    /// <param name="start">The first row.</param>
    /// <param name="count">The number of rows, at least 1.</param>
    /// <returns>[count][...].</returns>
    /// <exception cref="ArgumentException">The rows do not lie inside the batch, or the variable is of another tape.</exception>
    public static Variable Rows(this Tape tape, Variable x, int start, int count)
    {
        Require.On(tape, x);
        Require.Within(start, 0, x.Shape[0] - 1);
        Require.Within(count, 1, x.Shape[0] - start);
        int end = start + count;
        Tensor<float> rows = x.Value.Rows(start, count);
        Tensor<float>? dx = x.ClaimIfNeeded(), dRows = dx?.Rows(start, count);
        bool inPlace = (long)start * (x.Length / x.Shape[0]) % FloatsOfAVector == 0;
        Variable y = inPlace ? tape.View(rows, x.NeedsGradient, dRows) : tape.Result(rows.Shape, x.NeedsGradient);
        Action forward = inPlace ? () => { } : () => y.Value.CopyFrom(rows);
        if (dx == null)
        {
            tape.Record(y, forward, null);
            return y;
        }

        // In place, the gradient of these rows is computed where it belongs in that of the batch. The rows beside them are zeros.
        Tensor<float>[] beside = [.. new[] { dx.Rows(0, start), dx.Rows(end, x.Shape[0] - end) }.Where(part => part.Length > 0)];
        tape.Record(y, forward, () =>
        {
            foreach (Tensor<float> part in beside)
            {
                part.Clear();
            }

            if (!inPlace)
            {
                dRows!.CopyFrom(y.Gradient!);
            }
        });
        return y;
    }

    /// <summary>Records the first patches' rows of a batch of pairs: the first half.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[2p][...].</param>
    /// <returns>[p][...].</returns>
    /// <exception cref="ArgumentException">The number of rows is odd, or the variable is of another tape.</exception>
    public static Variable FirstHalf(this Tape tape, Variable x) => Rows(tape, x, 0, Pairs(tape, x));

    /// <summary>Records the second patches' rows of a batch of pairs: the second half.</summary>
    /// <inheritdoc cref="FirstHalf"/>
    public static Variable SecondHalf(this Tape tape, Variable x) => Rows(tape, x, Pairs(tape, x), Pairs(tape, x));

    /// <summary>Records the sum of each row.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...].</param>
    /// <returns>[n].</returns>
    /// <exception cref="ArgumentException">The variable is of another tape.</exception>
    public static Variable RowSums(this Tape tape, Variable x)
    {
        Require.On(tape, x);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> rows = x.Value;
        Tensor<float>? dx = x.ClaimIfNeeded();
        Variable sums = tape.Result([x.Shape[0]], dx != null);
        tape.Record(sums, () => kernels.RowDots(rows, null, sums.Value), dx == null ? null : () => kernels.ScaleRows(sums.Gradient!, null, dx));
        return sums;
    }

    /// <summary>Records the inner product of each row of x with the row of y of the same index; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...].</param>
    /// <param name="y">[n][...], rows as long as those of <paramref name="x"/>.</param>
    /// <returns>[n].</returns>
    /// <exception cref="ArgumentException">The sizes differ, or a variable is of another tape.</exception>
    public static Variable RowDots(this Tape tape, Variable x, Variable y)
    {
        Require.On(tape, x);
        Require.On(tape, y);
        if (x.Shape[0] != y.Shape[0] || x.Length != y.Length)
        {
            throw new ArgumentException($"x is {Require.Shape(x.Shape)} and y is {Require.Shape(y.Shape)}: row by row they must be of one size", nameof(y));
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> left = x.Value, right = y.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dy = y.ClaimIfNeeded();
        Variable products = tape.Result([x.Shape[0]], dx != null || dy != null);
        tape.Record(products, () => kernels.RowDots(left, right, products.Value), !products.NeedsGradient ? null : () =>
        {
            if (dx != null)
            {
                kernels.ScaleRows(products.Gradient!, right, dx);
            }

            if (dy != null)
            {
                kernels.ScaleRows(products.Gradient!, left, dy);
            }
        });
        return products;
    }

    /// <summary>Records the inner products of all rows of x with all rows of y; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[n][...].</param>
    /// <param name="y">[m][...], rows as long as those of <paramref name="x"/>.</param>
    /// <returns>[n][m].</returns>
    /// <exception cref="ArgumentException">The rows have different lengths, or a variable is of another tape.</exception>
    public static Variable InnerProducts(this Tape tape, Variable x, Variable y)
    {
        Require.On(tape, x);
        Require.On(tape, y);
        int n = x.Shape[0], m = y.Shape[0];
        if (x.Length / n != y.Length / m)
        {
            throw new ArgumentException($"x is {Require.Shape(x.Shape)} and y is {Require.Shape(y.Shape)}: all rows must be of one size", nameof(y));
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> left = x.Value, right = y.Value;
        Tensor<float>? dx = x.ClaimIfNeeded(), dy = y.ClaimIfNeeded();
        Variable products = tape.Result([n, m], dx != null || dy != null);
        tape.Record(products, () => kernels.InnerProductsForward(left, right, products.Value),
            !products.NeedsGradient ? null : () => kernels.InnerProductsBackward(left, right, products.Gradient!, dx, dy));
        return products;
    }

    /// <summary>Records the rows of x, each multiplied by a factor of its own.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="factors">[n].</param>
    /// <param name="x">[n][...].</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ArgumentException">There are not as many factors as rows, or a variable is of another tape.</exception>
    public static Variable ScaleRows(this Tape tape, Variable factors, Variable x)
    {
        Require.On(tape, factors);
        Require.On(tape, x);
        if (factors.Length != x.Shape[0])
        {
            throw new ArgumentException($"{factors.Length} factors for x, which is {Require.Shape(x.Shape)}: each row needs one", nameof(factors));
        }

        IKernels kernels = tape.Device.Kernels;
        Tensor<float> scale = factors.Value, rows = x.Value;
        Tensor<float>? dFactors = factors.ClaimIfNeeded(), dx = x.ClaimIfNeeded();
        Variable y = tape.Result(x.Shape, dFactors != null || dx != null);
        tape.Record(y, () => kernels.ScaleRows(scale, rows, y.Value), !y.NeedsGradient ? null : () =>
        {
            if (dFactors != null)
            {
                kernels.RowDots(rows, y.Gradient!, dFactors);
            }

            if (dx != null)
            {
                kernels.ScaleRows(scale, y.Gradient!, dx);
            }
        });
        return y;
    }

    private static int Pairs(Tape tape, Variable x)
    {
        Require.Pairs(tape, x);
        return x.Shape[0] / 2;
    }
}
