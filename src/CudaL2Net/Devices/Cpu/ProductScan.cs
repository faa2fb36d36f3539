using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace CudaL2Net.Devices.Cpu;

/// <summary>What is done with a column whose score is below its row's threshold.</summary>
internal unsafe interface IScoreVisitor
{
    /// <summary>Looks at 32 scores of one row, of which at least one is below the threshold, and may lower the threshold.</summary>
    void Visit(int row, int firstColumn, float* scores, ref float threshold);
}

/// <summary>
/// Searches a matrix of scores term_j - 2 a_i . b_j for each row's smallest without storing the matrix: a block of rows meets one panel of 32
/// columns after the other, and the 32 scores of a row are compared with its threshold at once. Only the few tiles that hold something better
/// than what has been found go on to the visitor, so the search runs at nearly the rate of the products.
/// </summary>
internal static unsafe class ProductScan
{
    /// <summary>Rows of a block, whole tiles: its packed form of depth 128 is 32 KB.</summary>
    public static int BlockRows => 192;

    /// <summary>Scans one block of at most <see cref="BlockRows"/> rows in the order of the columns.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="firstRow">The block's first row.</param>
    /// <param name="count">The block's rows.</param>
    /// <param name="panels">The columns, packed in panels of 32.</param>
    /// <param name="terms">term_j, infinity up to a multiple of 32 columns.</param>
    /// <param name="columns">The number of columns.</param>
    /// <param name="depth">The length of rows and columns.</param>
    /// <param name="packed">Room for the packed block: <see cref="BlockRows"/> x depth.</param>
    /// <param name="visitor">Called with row numbers from 0 within the block.</param>
    public static void Run<TVisitor>(in MatrixOperand rows, int firstRow, int count, float* panels, float* terms, int columns, int depth, float* packed,
        ref TVisitor visitor)
        where TVisitor : unmanaged, IScoreVisitor
    {
        const int columnTile = InnerProducts.ColumnTile;
        int rowTile = InnerProducts.RowTile;
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
            Vector256<float> term0 = Vector256.Load(terms + column), term1 = Vector256.Load(terms + column + 8);
            Vector256<float> term2 = Vector256.Load(terms + column + 16), term3 = Vector256.Load(terms + column + 24);
            Vector256<float> minusTwo = Vector256.Create(-2f);
            for (int panel = 0; panel < rowPanels; panel++)
            {
                Prefetch(panels + ((long)(column + columnTile) * depth) + ((long)panel * ahead), column + columnTile < columns ? ahead : 0);
                InnerProducts.Tile(packed + ((long)panel * rowTile * depth), panels + ((long)column * depth), depth, tile, add: false);
                for (int r = 0; r < rowTile; r++)
                {
                    float* scores = tile + (r * columnTile);
                    Vector256<float> s0 = Vector256.MultiplyAddEstimate(Vector256.Load(scores), minusTwo, term0);
                    Vector256<float> s1 = Vector256.MultiplyAddEstimate(Vector256.Load(scores + 8), minusTwo, term1);
                    Vector256<float> s2 = Vector256.MultiplyAddEstimate(Vector256.Load(scores + 16), minusTwo, term2);
                    Vector256<float> s3 = Vector256.MultiplyAddEstimate(Vector256.Load(scores + 24), minusTwo, term3);
                    Vector256<float> least = Vector256.MinNative(Vector256.MinNative(s0, s1), Vector256.MinNative(s2, s3));
                    int row = (panel * rowTile) + r;
                    if (Vector256.LessThanAny(least, Vector256.Create(thresholds[row])))
                    {
                        s0.Store(scores);
                        s1.Store(scores + 8);
                        s2.Store(scores + 16);
                        s3.Store(scores + 24);
                        visitor.Visit(row, column, scores, ref thresholds[row]);
                    }
                }
            }
        }
    }

    private static void Prefetch(float* start, int length)
    {
        if (Sse.IsSupported)
        {
            for (int i = 0; i < length; i += 16)
            {
                Sse.Prefetch1(start + i);
            }
        }
    }
}
