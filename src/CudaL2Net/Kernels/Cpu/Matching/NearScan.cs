using System.Runtime.InteropServices;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Finds the pairs of descriptors that may be nearer than a limit, by tiles of inner products.</summary>
internal static unsafe class NearScan
{
    /// <summary>Shows the pairs; see <see cref="HostMatching.VisitNear"/>.</summary>
    public static void Run(
        ReadOnlySpan<float> queries, int queryCount, ReadOnlySpan<float> targets, int targetCount, int depth, INearVisitor taker, Parallelism parallel)
    {
        int panels = InnerProducts.Panels(targetCount, InnerProducts.ColumnTile), padded = panels * InnerProducts.ColumnTile;
        float* packed = Allocate(padded * (long)depth);
        float* squares = Allocate(padded);
        try
        {
            fixed (float* values = targets, queryValues = queries)
            {
                nint targetAddress = (nint)values, queryAddress = (nint)queryValues, packedAddress = (nint)packed, squareAddress = (nint)squares;
                parallel.For(panels, panel =>
                {
                    int first = panel * InnerProducts.ColumnTile, count = Math.Min(InnerProducts.ColumnTile, targetCount - first);
                    var source = new MatrixOperand((float*)targetAddress, depth, 1);
                    InnerProducts.Pack(source, first, count, depth, (float*)packedAddress + (first * (long)depth), InnerProducts.ColumnTile);
                    for (int column = first; column < first + InnerProducts.ColumnTile; column++)
                    {
                        float* row = (float*)targetAddress + (column * (long)depth);
                        ((float*)squareAddress)[column] = column < targetCount ? Vectors.Dot(row, row, depth) : float.PositiveInfinity;
                    }
                });
                float longest = 0;
                for (int column = 0; column < targetCount; column++)
                {
                    longest = Math.Max(longest, squares[column]);
                }

                var takerHandle = GCHandle.Alloc(taker);
                nint handle = GCHandle.ToIntPtr(takerHandle);
                try
                {
                    parallel.For(InnerProducts.Panels(queryCount, ProductScan.BlockRows), block => ScanBlock(
                        queryCount, (float*)queryAddress, depth, block, (float*)packedAddress, (float*)squareAddress, targetCount, longest, handle));
                }
                finally
                {
                    takerHandle.Free();
                }
            }
        }
        finally
        {
            NativeMemory.AlignedFree(packed);
            NativeMemory.AlignedFree(squares);
        }
    }

    private static void ScanBlock(
        int queries, float* values, int depth, int block, float* panels, float* squares, int columns, float longest, nint taker)
    {
        int firstRow = block * ProductScan.BlockRows, count = Math.Min(ProductScan.BlockRows, queries - firstRow);
        float* packed = Allocate(ProductScan.BlockRows * (long)depth);
        float* lengths = stackalloc float[ProductScan.BlockRows];
        for (int row = 0; row < count; row++)
        {
            float* query = values + ((firstRow + row) * (long)depth);
            lengths[row] = Vectors.Dot(query, query, depth);
        }

        var visitor = new Visitor { Taker = taker, FirstRow = firstRow, Lengths = lengths, Longest = longest, Depth = depth };
        ProductScan.Run(new MatrixOperand(values, depth, 1), firstRow, count, panels, squares, columns, depth, packed, ref visitor);
        NativeMemory.AlignedFree(packed);
    }

    private static float* Allocate(long floats) => (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);

    private struct Visitor : IScoreVisitor
    {
        public nint Taker;
        public int FirstRow;
        public int Depth;
        public float* Lengths;
        public float Longest;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            var taker = (INearVisitor)GCHandle.FromIntPtr(Taker).Target!;

            // A sum of n products is wrong by at most n units in the last place of the sum of their sizes; twice that, for the squares' sums.
            const double Unit = 1.0 / (1 << 23);
            double size = Math.Sqrt(Lengths[row]) + Math.Sqrt(Longest), error = (Depth + 16) * Unit * size * size;
            threshold = (float)(taker.Loosest(FirstRow + row) + error - Lengths[row]);
            for (int c = 0; c < InnerProducts.ColumnTile; c++)
            {
                if (scores[c] <= threshold)
                {
                    taker.Add(FirstRow + row, firstColumn + c, scores[c] + (double)Lengths[row], error);
                }
            }
        }
    }
}
