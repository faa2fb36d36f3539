namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    private const int ShortestRange = 128;
    private const int LongestRange = 1024;
    private const int EnoughBlocks = 256;

    /// <summary>out[batch][range][m][n] = sum over the range's k of a(m, k) b(n, k).</summary>
    private protected virtual void RowProducts(in ProductOperand a, int rows, in ProductOperand b, int columns, int depth, int range, float* output, int batches = 1)
    {
        string kernel = (a.ByDepth, b.ByDepth) switch
        {
            (true, true) => "row_products_dd",
            (true, false) => "row_products_dr",
            (false, false) => "row_products_rr",
            _ => throw new ArgumentException("exchange the two factors", nameof(a)),
        };
        var grid = new Grid(Tiles(columns), Tiles(rows), batches * Tiles(depth, range));
        Launch("row_products", kernel, grid, 128, 0, a.Data, a.Pitch, a.Batch, b.Data, b.Pitch, b.Batch, output, rows, columns, depth, range);
    }

    /// <summary>
    /// How much of the depth a block takes: little where there are few tiles, and no more than keeps the sums accurate. The same for every GPU, so that
    /// results are too.
    /// </summary>
    private protected virtual int ProductRange(int tiles, int depth)
    {
        int ranges = Math.Max(Tiles(depth, LongestRange), Math.Min(Tiles(depth, ShortestRange), Tiles(EnoughBlocks, tiles)));
        return Math.Max(1, Tiles(Tiles(depth, ranges), 32)) * 32;
    }

    /// <summary>loss = factor x the sum of the terms.</summary>
    private void ScaledSum(float* terms, int count, float factor, float* loss) => Launch("row_products", "scaled_sum", 1, 256, 0, terms, count, factor, loss);

    /// <summary>A factor of a product: element (row, k) is at row x pitch + k, or where it is transposed at k x pitch + row.</summary>
    private protected readonly struct ProductOperand(float* data, int pitch, bool transposed = false, long batch = 0)
    {
        public readonly float* Data = data;
        public readonly int Pitch = pitch;
        public readonly bool ByDepth = !transposed;

        /// <summary>From one batch entry to the next.</summary>
        public readonly long Batch = batch;
    }
}
