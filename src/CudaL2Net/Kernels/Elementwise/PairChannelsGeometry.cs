namespace CudaL2Net.Kernels;

/// <summary>Sizes of the channels of pairs of rows: x [2p][...][c], y [2p][...][2c].</summary>
/// <param name="Pairs">p, at least 2.</param>
/// <param name="Pixels">The values of a row divided by its channels.</param>
/// <param name="Channels">c.</param>
internal readonly record struct PairChannelsGeometry(int Pairs, int Pixels, int Channels)
{
    /// <summary>Values of a row of x.</summary>
    public int RowLength => Pixels * Channels;

    /// <summary>The two rows of y that hold a row of x: the matching pair's, then the other's.</summary>
    /// <param name="row">A row of x, 0 to 2p - 1.</param>
    public (int Matching, int Other) RowsOf(int row)
    {
        int i = row - Pairs;
        return i < 0 ? (row, Pairs + row) : (i, Pairs + (i == 0 ? Pairs : i) - 1);
    }

    /// <summary>The sizes, from the shapes of both tensors.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit each other, or the rows are odd in number or fewer than 4.</exception>
    public static PairChannelsGeometry Of(ReadOnlySpan<int> x, ReadOnlySpan<int> y)
    {
        if (x.Length < 2 || x[0] < 4 || x[0] % 2 != 0)
        {
            throw new ArgumentException($"rows of pairs must be [2p][...][c] with p at least 2, not {Text(x)}", nameof(x));
        }

        int pixels = 1;
        foreach (int extent in x[1..^1])
        {
            pixels *= extent;
        }

        return y.Length == x.Length && y[..^1].SequenceEqual(x[..^1]) && y[^1] == 2 * x[^1]
            ? new PairChannelsGeometry(x[0] / 2, pixels, x[^1])
            : throw new ArgumentException($"the pairs' channels of {Text(x)} must have twice as many channels, not {Text(y)}", nameof(y));

        static string Text(ReadOnlySpan<int> shape) => $"[{string.Join("][", shape.ToArray())}]";
    }
}
