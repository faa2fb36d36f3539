using System.Runtime.Intrinsics;

namespace CudaL2Net.Devices.Cpu;

/// <summary>Where a matrix's elements lie: element (row, depth) is at Data[row RowStride + depth DepthStride], depth being the index that a product sums over.</summary>
internal readonly unsafe struct MatrixOperand(float* data, nint rowStride, nint depthStride)
{
    public readonly float* Data = data;
    public readonly nint RowStride = rowStride;
    public readonly nint DepthStride = depthStride;
}

/// <summary>
/// C[i][j] = sum_k A(i, k) B(j, k): the inner products of rows that the losses and the matching are made of. Both operands are first packed into panels
/// [rows / width][depth][width], padded with zeros, so the 8 x 32 register tile reads memory in order: 2 loads and 8 broadcasts for 16 fused multiply-adds.
/// A panel pair of depth 128 is 20 KB and stays in the first cache.
/// </summary>
internal static unsafe class InnerProducts
{
    /// <summary>Rows of a tile: the width of A's panels.</summary>
    public const int RowTile = 8;

    /// <summary>Columns of a tile: the width of B's panels.</summary>
    public const int ColumnTile = 32;

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

    /// <summary>The products of a panel of A with a panel of B into <paramref name="c"/>, [8][32], overwritten or added to.</summary>
    public static void Tile(float* a, float* b, int depth, float* c, bool add)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Tile512(a, b, depth, c, add);
            return;
        }

        for (int row = 0; row < RowTile; row += 4)
        {
            for (int column = 0; column < ColumnTile; column += 16)
            {
                Tile256(a + row, b + column, depth, c + (row * ColumnTile) + column, add);
            }
        }
    }

    /// <summary>8 x 32 in 16 accumulators, two loads and eight broadcasts a step.</summary>
    private static void Tile512(float* a, float* b, int depth, float* c, bool add)
    {
        Vector512<float> c00 = default, c01 = default;
        Vector512<float> c10 = default, c11 = default;
        Vector512<float> c20 = default, c21 = default;
        Vector512<float> c30 = default, c31 = default;
        Vector512<float> c40 = default, c41 = default;
        Vector512<float> c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default;
        Vector512<float> c70 = default, c71 = default;
        for (int k = 0; k < depth; k++, a += RowTile, b += ColumnTile)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            Vector512<float> a0 = Vector512.Create(a[0]);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            Vector512<float> a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            Vector512<float> a2 = Vector512.Create(a[2]);
            c20 = Vector512.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(a2, b1, c21);
            Vector512<float> a3 = Vector512.Create(a[3]);
            c30 = Vector512.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(a3, b1, c31);
            Vector512<float> a4 = Vector512.Create(a[4]);
            c40 = Vector512.MultiplyAddEstimate(a4, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(a4, b1, c41);
            Vector512<float> a5 = Vector512.Create(a[5]);
            c50 = Vector512.MultiplyAddEstimate(a5, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(a5, b1, c51);
            Vector512<float> a6 = Vector512.Create(a[6]);
            c60 = Vector512.MultiplyAddEstimate(a6, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(a6, b1, c61);
            Vector512<float> a7 = Vector512.Create(a[7]);
            c70 = Vector512.MultiplyAddEstimate(a7, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(a7, b1, c71);
        }

        Store(c, c00, c01, add);
        Store(c + 32, c10, c11, add);
        Store(c + 64, c20, c21, add);
        Store(c + 96, c30, c31, add);
        Store(c + 128, c40, c41, add);
        Store(c + 160, c50, c51, add);
        Store(c + 192, c60, c61, add);
        Store(c + 224, c70, c71, add);
    }

    /// <summary>4 x 16 in 8 accumulators: what 16 registers hold without spilling.</summary>
    private static void Tile256(float* a, float* b, int depth, float* c, bool add)
    {
        Vector256<float> c00 = default, c01 = default;
        Vector256<float> c10 = default, c11 = default;
        Vector256<float> c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default;
        for (int k = 0; k < depth; k++, a += RowTile, b += ColumnTile)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Vector256<float> a0 = Vector256.Create(a[0]);
            c00 = Vector256.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(a0, b1, c01);
            Vector256<float> a1 = Vector256.Create(a[1]);
            c10 = Vector256.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(a1, b1, c11);
            Vector256<float> a2 = Vector256.Create(a[2]);
            c20 = Vector256.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(a2, b1, c21);
            Vector256<float> a3 = Vector256.Create(a[3]);
            c30 = Vector256.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(a3, b1, c31);
        }

        Store(c, c00, c01, add);
        Store(c + 32, c10, c11, add);
        Store(c + 64, c20, c21, add);
        Store(c + 96, c30, c31, add);
    }

    private static void Store(float* c, Vector512<float> first, Vector512<float> second, bool add)
    {
        (add ? Vector512.Load(c) + first : first).Store(c);
        (add ? Vector512.Load(c + 16) + second : second).Store(c + 16);
    }

    private static void Store(float* c, Vector256<float> first, Vector256<float> second, bool add)
    {
        (add ? Vector256.Load(c) + first : first).Store(c);
        (add ? Vector256.Load(c + 8) + second : second).Store(c + 8);
    }
}
