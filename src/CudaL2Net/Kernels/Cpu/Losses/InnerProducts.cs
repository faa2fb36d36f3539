using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Where a matrix's elements lie: element (row, depth) is at Data[row RowStride + depth DepthStride], depth being the index that a product sums
/// over.</summary>
internal readonly unsafe struct MatrixOperand(float* data, nint rowStride, nint depthStride)
{
    public readonly float* Data = data;
    public readonly nint RowStride = rowStride;
    public readonly nint DepthStride = depthStride;
}

/// <summary>
/// C[i][j] = sum_k A(i, k) B(j, k): the inner products of rows that the losses and the matching are made of. Both operands are first packed into panels
/// [rows / width][depth][width], padded with zeros, so the register tile reads memory in order. A panel pair of depth 128 is at most 20 KB and stays in the
/// first cache.
/// </summary>
internal static unsafe class InnerProducts
{
    /// <summary>Rows of a tile: the width of A's panels.</summary>
    public static int RowTile => RegisterTile.Rows;

    /// <summary>Columns of a tile: the width of B's panels.</summary>
    public static int ColumnTile => RegisterTile.Columns;

    private const int LineLength = 16;

    /// <summary>Panels that hold <paramref name="rows"/> rows.</summary>
    public static int Panels(int rows, int panelWidth) => (rows + panelWidth - 1) / panelWidth;

    /// <summary>Floats that <paramref name="rows"/> packed rows take.</summary>
    public static nuint PackedLength(int rows, int depth, int panelWidth) => (nuint)Panels(rows, panelWidth) * (nuint)panelWidth * (nuint)depth;

    /// <summary>Copies up to <paramref name="panelWidth"/> rows into one panel [depth][panelWidth]; missing rows are zero.</summary>
    public static void Pack(in MatrixOperand source, int firstRow, int rows, int depth, float* panel, int panelWidth)
    {
        float* data = source.Data + (firstRow * source.RowStride);
        nint rowStride = source.RowStride, depthStride = source.DepthStride;
        if (rows < panelWidth)
        {
            new Span<float>(panel, panelWidth * depth).Clear();
        }

        if (rowStride == 1)
        {
            for (int k = 0; k < depth; k++)
            {
                new ReadOnlySpan<float>(data + (k * depthStride), rows).CopyTo(new Span<float>(panel + (k * panelWidth), rows));
            }

            return;
        }

        // Sixteen values, a cache line, of a row at a time: rows that lie a power of two apart would evict one another.
        for (int k = 0; k < depth; k += LineLength)
        {
            int count = Math.Min(LineLength, depth - k);
            for (int row = 0; row < rows; row++)
            {
                float* from = data + (row * rowStride) + (k * depthStride);
                float* to = panel + ((long)k * panelWidth) + row;
                for (int i = 0; i < count; i++)
                {
                    to[i * panelWidth] = from[i * depthStride];
                }
            }
        }
    }

    /// <summary>The products of a panel of A with a panel of B into <paramref name="c"/>, a tile that is overwritten or added to.</summary>
    public static void Tile(float* a, float* b, int depth, float* c, bool add)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            RegisterTile.Product6x16(a, b, depth, c, add);
            return;
        }

        if (!add)
        {
            new Span<float>(c, RowTile * ColumnTile).Clear();
        }

        // A sum of outer products over k is a filter gradient's inner loop, k taking the place of the pixels.
        var panels = GradientImages.Matrices(depth, RowTile, ColumnTile);
        RegisterTile.OuterProduct(panels, a, b, c, ColumnTile, RowTile, ColumnTile);
    }
}
