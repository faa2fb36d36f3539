using System.Numerics;
using System.Runtime.CompilerServices;

namespace CudaL2Net.Kernels.Cpu;

// The nearest and second nearest row. Euclidean: smallest |b_j|^2 - 2 a_i . b_j, found by a scan over tiles of inner products at nearly the rate of the
// multiply-adds (100,000 x 100,000 x 128: 2.6 TFLOP; the matrix of 40 GB never exists); the two winners' distances are then taken from the differences.
// Hamming: by tables for 128 targets at a time, or by population counts of 64 bits; groups of targets stay in the cache for a block of queries.
internal sealed unsafe partial class CpuDevice
{
    private const int HammingQueries = 64;
    private const int HammingTargets = 8 * HammingScan.Group;

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets);
        int padded = InnerProducts.Panels(columns, InnerProducts.ColumnTile) * InnerProducts.ColumnTile;
        float* panels = Scratch(0, (nuint)padded * (nuint)width);
        float* packed = Scratch(1, (nuint)(pool.Threads * ProductScan.BlockRows) * (nuint)width);
        float* squares = Scratch(2, (nuint)padded);
        PackPanels(new MatrixOperand(targets.Pointer, width, 1), columns, width, panels, InnerProducts.ColumnTile);
        for (int column = 0; column < padded; column++)
        {
            float* b = targets.Pointer + ((long)column * width);
            squares[column] = column < columns ? Vectors.Dot(b, b, width) : float.PositiveInfinity;
        }

        var job = new NearestJob
        {
            Queries = queries.Pointer,
            Targets = targets.Pointer,
            Rows = rows,
            Columns = columns,
            Width = width,
            Panels = panels,
            Packed = packed,
            Squares = squares,
            Nearest = nearest.Pointer,
            Distance = distance.Pointer,
        };
        pool.For(InnerProducts.Panels(rows, ProductScan.BlockRows), job);
    }

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets);
        byte* packed = null;
        if (HammingScan.Fits(width))
        {
            int groups = (columns + HammingScan.Group - 1) / HammingScan.Group;
            packed = (byte*)Scratch(0, (nuint)groups * (nuint)HammingScan.GroupLength(width) / sizeof(float));
            pool.For(groups, new HammingPackJob { Targets = targets.Pointer, Columns = columns, Width = width, Packed = packed });
        }

        var job = new HammingJob
        {
            Queries = queries.Pointer,
            Targets = targets.Pointer,
            Packed = packed,
            Rows = rows,
            Columns = columns,
            Width = width,
            Nearest = nearest.Pointer,
            Distance = distance.Pointer,
        };
        pool.For(InnerProducts.Panels(rows, HammingQueries), job);
    }

    private struct NearestJob : IParallelJob
    {
        public float* Queries;
        public float* Targets;
        public int Rows;
        public int Columns;
        public int Width;
        public float* Panels;
        public float* Packed;
        public float* Squares;
        public int* Nearest;
        public float* Distance;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * ProductScan.BlockRows, count = Math.Min(ProductScan.BlockRows, Rows - firstRow);
            var visitor = new NearestVisitor { Scores = Distance + (2L * firstRow), Indices = Nearest + (2L * firstRow) };
            new Span<float>(visitor.Scores, 2 * count).Fill(float.PositiveInfinity);
            new Span<int>(visitor.Indices, 2 * count).Fill(-1);
            float* packed = Packed + ((long)worker * ProductScan.BlockRows * Width);
            ProductScan.Run(new MatrixOperand(Queries, Width, 1), firstRow, count, Panels, Squares, Columns, Width, packed, ref visitor);
            for (int row = 0; row < count; row++)
            {
                Measure(Queries + ((long)(firstRow + row) * Width), visitor.Indices + (2 * row), visitor.Scores + (2 * row));
            }
        }

        /// <summary>Replaces the scores of the two winners by their distances, and exchanges the two where rounding had put them the wrong way round.</summary>
        private readonly void Measure(float* query, int* indices, float* distances)
        {
            for (int rank = 0; rank < 2; rank++)
            {
                distances[rank] = indices[rank] < 0
                    ? float.PositiveInfinity
                    : MathF.Sqrt(Vectors.SquaredDistance(query, Targets + ((long)indices[rank] * Width), Width));
            }

            if (distances[1] < distances[0] || (distances[1] == distances[0] && indices[1] >= 0 && indices[1] < indices[0]))
            {
                (distances[0], distances[1]) = (distances[1], distances[0]);
                (indices[0], indices[1]) = (indices[1], indices[0]);
            }
        }
    }

    private struct NearestVisitor : IScoreVisitor
    {
        public float* Scores;
        public int* Indices;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            float* best = Scores + (2 * row);
            int* indices = Indices + (2 * row);
            for (int c = 0; c < InnerProducts.ColumnTile; c++)
            {
                if (scores[c] < best[0])
                {
                    (best[1], indices[1]) = (best[0], indices[0]);
                    (best[0], indices[0]) = (scores[c], firstColumn + c);
                }
                else if (scores[c] < best[1])
                {
                    (best[1], indices[1]) = (scores[c], firstColumn + c);
                }
            }

            threshold = best[1];
        }
    }

    private struct HammingPackJob : IParallelJob
    {
        public byte* Targets;
        public int Columns;
        public int Width;
        public byte* Packed;

        public readonly void Run(int index, int worker)
        {
            int first = index * HammingScan.Group;
            HammingScan.Pack(Targets + ((nint)first * Width), Math.Min(HammingScan.Group, Columns - first), Width,
                Packed + ((nint)index * HammingScan.GroupLength(Width)));
        }
    }

    [SkipLocalsInit]
    private struct HammingJob : IParallelJob
    {
        public byte* Queries;
        public byte* Targets;

        /// <summary>The targets as <see cref="HammingScan"/> takes them, or null.</summary>
        public byte* Packed;
        public int Rows;
        public int Columns;
        public int Width;
        public int* Nearest;
        public int* Distance;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * HammingQueries, endRow = Math.Min(firstRow + HammingQueries, Rows);
            new Span<int>(Nearest + (2L * firstRow), 2 * (endRow - firstRow)).Fill(-1);
            new Span<int>(Distance + (2L * firstRow), 2 * (endRow - firstRow)).Fill(int.MaxValue);
            if (Packed != null)
            {
                byte* halves = stackalloc byte[HammingQueries * 2 * Width];
                for (int row = firstRow; row < endRow; row++)
                {
                    HammingScan.Split(Queries + ((long)row * Width), Width, halves + ((row - firstRow) * 2 * Width));
                }

                for (int start = 0; start < Columns; start += HammingScan.Group)
                {
                    for (int row = firstRow; row < endRow; row += 2)
                    {
                        ScanGroup(row, Math.Min(row + 1, endRow - 1), halves + ((row - firstRow) * 2 * Width), start);
                    }
                }

                return;
            }

            for (int start = 0; start < Columns; start += HammingTargets)
            {
                int end = Math.Min(start + HammingTargets, Columns);
                for (int row = firstRow; row < endRow; row++)
                {
                    Scan(Queries + ((long)row * Width), start, end, Nearest + (2L * row), Distance + (2L * row));
                }
            }
        }

        /// <summary>Two rows, or one that is named twice, against a packed group.</summary>
        private readonly void ScanGroup(int row, int second, byte* halves, int start)
        {
            byte* distances = stackalloc byte[2 * HammingScan.Group];
            HammingScan.Distances(halves, halves + ((second - row) * 2 * Width), Width,
                Packed + ((nint)(start / HammingScan.Group) * HammingScan.GroupLength(Width)), distances);
            int count = Math.Min(HammingScan.Group, Columns - start);
            for (int r = row; r <= second; r++, distances += HammingScan.Group)
            {
                int* indices = Nearest + (2L * r), best = Distance + (2L * r);
                if (best[1] > byte.MaxValue)
                {
                    // A byte does not tell 256 from 255, nor from no distance at all.
                    Scan(Queries + ((long)r * Width), start, start + count, indices, best);
                    continue;
                }

                for (int first = 0; first < count; first += 32)
                {
                    uint below = best[1] == 0 ? 0 : HammingScan.Below(distances + first, best[1]);
                    for (below &= count - first < 32 ? (1u << (count - first)) - 1 : uint.MaxValue; below != 0; below &= below - 1)
                    {
                        int target = first + BitOperations.TrailingZeroCount(below);
                        if (distances[target] < best[1])
                        {
                            Insert(distances[target], start + target, indices, best);
                        }
                    }
                }
            }
        }

        private readonly void Scan(byte* query, int start, int end, int* indices, int* best)
        {
            int second = best[1], width = Width;
            byte* target = Targets + ((long)start * width);
            ulong query0 = width < 16 ? 0 : *(ulong*)query, query1 = width < 16 ? 0 : *(ulong*)(query + 8);
            for (int column = start; column < end; column++, target += width)
            {
                int d = width < 16 ? Bits(query, target, 0)
                    : BitOperations.PopCount(query0 ^ *(ulong*)target) + BitOperations.PopCount(query1 ^ *(ulong*)(target + 8));
                if (width > 16)
                {
                    d += Bits(query, target, 16);
                }

                if (d < second)
                {
                    Insert(d, column, indices, best);
                    second = best[1];
                }
            }
        }

        private static void Insert(int distance, int column, int* indices, int* best)
        {
            int rank = distance < best[0] ? 0 : 1;
            if (rank == 0)
            {
                (best[1], indices[1]) = (best[0], indices[0]);
            }

            (best[rank], indices[rank]) = (distance, column);
        }

        /// <summary>The distance of what comes after the first <paramref name="i"/> bytes.</summary>
        private readonly int Bits(byte* a, byte* b, int i)
        {
            int bits = 0;
            for (; i <= Width - 8; i += 8)
            {
                bits += BitOperations.PopCount(*(ulong*)(a + i) ^ *(ulong*)(b + i));
            }

            for (; i < Width; i++)
            {
                bits += BitOperations.PopCount((uint)(a[i] ^ b[i]));
            }

            return bits;
        }
    }
}
