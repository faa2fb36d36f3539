namespace CudaL2Net.Kernels.Cpu;

/// <summary>C[m][n] = sum_k A(i, k) B(j, k) for the losses' matrices, in blocks of 4 x 2 tiles that the threads share.</summary>
/// <remarks>
/// Both operands are packed whole (scratch 0 and 1). A block keeps its tiles in the first cache and walks the depth in pieces of 256, whose sums are added in
/// order: that bounds what is streamed from the outer caches and also the rounding error of long sums.
/// </remarks>
internal sealed unsafe partial class CpuDevice
{
    private const int BlockDepth = 256;

    private static int BlockHeight => 4 * InnerProducts.RowTile;

    private static int BlockWidth => 2 * InnerProducts.ColumnTile;

    private void MultiplyRows(in MatrixOperand a, int rows, in MatrixOperand b, int columns, int depth, float* c, nint stride)
    {
        float* packedA = Scratch(0, InnerProducts.PackedLength(rows, depth, InnerProducts.RowTile));
        float* packedB = Scratch(1, InnerProducts.PackedLength(columns, depth, InnerProducts.ColumnTile));
        PackPanels(a, rows, depth, packedA, InnerProducts.RowTile);
        PackPanels(b, columns, depth, packedB, InnerProducts.ColumnTile);
        int across = InnerProducts.Panels(columns, BlockWidth);
        var job = new RowProductJob { A = packedA, B = packedB, Rows = rows, Columns = columns, Depth = depth, C = c, Stride = stride, Across = across };
        pool.For(InnerProducts.Panels(rows, BlockHeight) * across, job);
    }

    /// <summary>Packs rows into consecutive panels, all threads taking part.</summary>
    private void PackPanels(in MatrixOperand source, int rows, int depth, float* panels, int panelWidth) =>
        pool.For(
            InnerProducts.Panels(rows, panelWidth), new PanelPackJob { Source = source, Rows = rows, Depth = depth, Panels = panels, PanelWidth = panelWidth });

    private struct PanelPackJob : IParallelJob
    {
        public MatrixOperand Source;
        public int Rows;
        public int Depth;
        public float* Panels;
        public int PanelWidth;

        public readonly void Run(int index, int worker)
        {
            int start = index * PanelWidth;
            InnerProducts.Pack(Source, start, Math.Min(PanelWidth, Rows - start), Depth, Panels + ((long)start * Depth), PanelWidth);
        }
    }

    private struct RowProductJob : IParallelJob
    {
        public float* A;
        public float* B;
        public int Rows;
        public int Columns;
        public int Depth;
        public float* C;
        public nint Stride;
        public int Across;

        public readonly void Run(int index, int worker)
        {
            int rowTile = InnerProducts.RowTile, columnTile = InnerProducts.ColumnTile;
            int firstRow = index / Across * BlockHeight, endRow = Math.Min(firstRow + BlockHeight, Rows);
            int firstColumn = index % Across * BlockWidth, endColumn = Math.Min(firstColumn + BlockWidth, Columns);
            float* block = stackalloc float[BlockHeight * BlockWidth];
            for (int start = 0; start < Depth; start += BlockDepth)
            {
                int depth = Math.Min(BlockDepth, Depth - start);
                float* tile = block;
                for (int column = firstColumn; column < endColumn; column += columnTile)
                {
                    for (int row = firstRow; row < endRow; row += rowTile, tile += rowTile * columnTile)
                    {
                        float* a = A + ((long)row * Depth) + ((long)start * rowTile), b = B + ((long)column * Depth) + ((long)start * columnTile);
                        InnerProducts.Tile(a, b, depth, tile, add: start > 0);
                    }
                }
            }

            CopyOut(block, firstRow, endRow, firstColumn, endColumn);
        }

        private readonly void CopyOut(float* tile, int firstRow, int endRow, int firstColumn, int endColumn)
        {
            int rowTile = InnerProducts.RowTile, columnTile = InnerProducts.ColumnTile;
            for (int column = firstColumn; column < endColumn; column += columnTile)
            {
                int width = Math.Min(columnTile, endColumn - column);
                for (int row = firstRow; row < endRow; row += rowTile, tile += rowTile * columnTile)
                {
                    int height = Math.Min(rowTile, endRow - row);
                    for (int r = 0; r < height; r++)
                    {
                        new ReadOnlySpan<float>(tile + (r * columnTile), width).CopyTo(new Span<float>(C + ((row + r) * Stride) + column, width));
                    }
                }
            }
        }
    }
}
