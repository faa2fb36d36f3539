using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>What is done with a column whose score is below its row's threshold.</summary>
internal unsafe interface IScoreVisitor
{
    /// <summary>Looks at a panel's scores of one row, of which at least one is below the threshold, and may lower the threshold.</summary>
    void Visit(int row, int firstColumn, float* scores, ref float threshold);
}

/// <summary>
/// Searches a matrix of scores term_j - 2 a_i . b_j for each row's smallest without storing the matrix: a block of rows meets one panel of
/// columns after the other, and the scores of a row are compared with its threshold at once. Only the few tiles that hold something better
/// than what has been found go on to the visitor, so the search runs at nearly the rate of the products.
/// </summary>
internal static unsafe class ProductScan
{
    /// <summary>Rows of a block, whole tiles: its packed form of depth 128 is 32 or 48 KB.</summary>
    public static int BlockRows => Vector512.IsHardwareAccelerated ? 64 : 96;

    /// <summary>Scans one block of at most <see cref="BlockRows"/> rows in the order of the columns.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="firstRow">The block's first row.</param>
    /// <param name="count">The block's rows.</param>
    /// <param name="panels">The columns, packed in panels of <see cref="InnerProducts.ColumnTile"/>.</param>
    /// <param name="terms">term_j, infinity up to whole panels.</param>
    /// <param name="columns">The number of columns.</param>
    /// <param name="depth">The length of rows and columns.</param>
    /// <param name="packed">Room for the packed block: <see cref="BlockRows"/> x depth.</param>
    /// <param name="visitor">Called with row numbers from 0 within the block.</param>
    public static void Run<TVisitor>(in MatrixOperand rows, int firstRow, int count, float* panels, float* terms, int columns, int depth, float* packed,
        ref TVisitor visitor)
        where TVisitor : unmanaged, IScoreVisitor
    {
        int rowTile = InnerProducts.RowTile, columnTile = InnerProducts.ColumnTile;
        int rowPanels = InnerProducts.Panels(count, rowTile);
        for (int panel = 0; panel < rowPanels; panel++)
        {
            int start = panel * rowTile;
            InnerProducts.Pack(rows, firstRow + start, Math.Min(rowTile, count - start), depth, packed + ((long)start * depth), rowTile);
        }

        float* thresholds = stackalloc float[BlockRows];
        for (int row = 0; row < BlockRows; row++)
        {
            thresholds[row] = row < count ? float.PositiveInfinity : float.NegativeInfinity;
        }

        float* tile = stackalloc float[rowTile * columnTile];
        int ahead = ((columnTile * depth) + rowPanels - 1) / rowPanels;
        for (int column = 0; column < columns; column += columnTile)
        {
            for (int panel = 0; panel < rowPanels; panel++)
            {
                Cache.Prefetch(panels + ((long)(column + columnTile) * depth) + ((long)panel * ahead), column + columnTile < columns ? ahead : 0);
                InnerProducts.Tile(packed + ((long)panel * rowTile * depth), panels + ((long)column * depth), depth, tile, add: false);
                for (int r = 0; r < rowTile; r++)
                {
                    float* scores = tile + (r * columnTile);
                    int row = (panel * rowTile) + r;
                    if (AnyBelow(scores, terms + column, thresholds[row]))
                    {
                        visitor.Visit(row, column, scores, ref thresholds[row]);
                    }
                }
            }
        }
    }

    /// <summary>Whether a score of a tile's row is below the threshold; then the row's products are replaced by the scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AnyBelow(float* products, float* terms, float threshold)
    {
        Vector256<float> s0 = Score(products, terms), s1 = Score(products + 8, terms + 8);
        if (InnerProducts.ColumnTile == 16)
        {
            if (!Vector256.LessThanAny(Vector256.MinNative(s0, s1), Vector256.Create(threshold)))
            {
                return false;
            }
        }
        else
        {
            Vector256<float> s2 = Score(products + 16, terms + 16), s3 = Score(products + 24, terms + 24);
            Vector256<float> least = Vector256.MinNative(Vector256.MinNative(s0, s1), Vector256.MinNative(s2, s3));
            if (!Vector256.LessThanAny(least, Vector256.Create(threshold)))
            {
                return false;
            }

            s2.Store(products + 16);
            s3.Store(products + 24);
        }

        s0.Store(products);
        s1.Store(products + 8);
        return true;
    }

    private static Vector256<float> Score(float* products, float* terms) =>
        Vector256.MultiplyAddEstimate(Vector256.Load(products), Vector256.Create(-2f), Vector256.Load(terms));
}
