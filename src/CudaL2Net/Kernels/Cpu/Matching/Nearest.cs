using System.Numerics;
using System.Runtime.CompilerServices;

namespace CudaL2Net.Kernels.Cpu;

// The nearest targets, in lists that stay sorted. Columns come in rising order, so equal distances keep theirs. Groups of targets stay in the cache for a block of
// queries.
internal sealed unsafe partial class CpuDevice
{
    private const int HammingQueries = 64;
    private const int HammingTargets = 8 * HammingScan.Group;

    public void NearestEuclidean(Tensor<float> queries, SearchTargets<float> targets, Tensor<int> nearest, Tensor<float> distance)
    {
        int rows = targets.QueriesOf(queries);
        var job = new NearestJob
        {
            Scan = StartEuclidean(queries, (FloatTargets)targets),
            Kept = nearest.Length / Math.Max(rows, 1),
            Nearest = nearest.Pointer,
            Distance = distance.Pointer,
        };
        pool.For(job.Scan.Blocks, job);
    }

    public void NearestHamming(Tensor<byte> queries, SearchTargets<byte> targets, Tensor<int> nearest, Tensor<int> distance)
    {
        int rows = targets.QueriesOf(queries);
        Tensor<byte>? packed = ((BitTargets)targets).Packed;
        var job = new HammingJob
        {
            Queries = queries.Pointer,
            Targets = targets.Rows.Pointer,
            Packed = packed is null ? null : packed.Pointer,
            Rows = rows,
            Columns = targets.Count,
            Width = targets.Width,
            Kept = nearest.Length / Math.Max(rows, 1),
            Nearest = nearest.Pointer,
            Distance = distance.Pointer,
        };
        pool.For(InnerProducts.Panels(rows, HammingQueries), job);
    }

    /// <summary>Puts a target into a sorted list, after those that are as near; the last one falls out.</summary>
    private static void Insert<T>(T distance, int target, T* distances, int* targets, int kept)
        where T : unmanaged, IComparisonOperators<T, T, bool>
    {
        int place = kept - 1;
        for (; place > 0 && distance < distances[place - 1]; place--)
        {
            (distances[place], targets[place]) = (distances[place - 1], targets[place - 1]);
        }

        (distances[place], targets[place]) = (distance, target);
    }

    private struct NearestJob : IParallelJob
    {
        public EuclideanScan Scan;
        public int Kept;
        public int* Nearest;
        public float* Distance;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * ProductScan.BlockRows, count = Scan.RowsOf(firstRow) * Kept;
            long first = (long)firstRow * Kept;
            new Span<float>(Distance + first, count).Fill(float.PositiveInfinity);
            new Span<int>(Nearest + first, count).Fill(-1);
            var visitor = new NearestVisitor { Scan = Scan, FirstRow = firstRow, Kept = Kept, Nearest = Nearest, Distance = Distance };
            Scan.Run(firstRow, worker, ref visitor);
        }
    }

    private struct NearestVisitor : IScoreVisitor
    {
        public EuclideanScan Scan;
        public int FirstRow;
        public int Kept;
        public int* Nearest;
        public float* Distance;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            int query = FirstRow + row;
            float* distances = Distance + ((long)query * Kept);
            int* targets = Nearest + ((long)query * Kept);
            ref float farthest = ref distances[Kept - 1];
            float before = farthest;
            for (int c = 0; c < InnerProducts.ColumnTile; c++)
            {
                if (!(scores[c] < threshold))
                {
                    continue;
                }

                float distance = Scan.Measure(query, firstColumn + c);
                if (distance < farthest)
                {
                    Insert(distance, firstColumn + c, distances, targets, Kept);
                }
            }

            // Once a tile: all that has become nearer in it.
            if (farthest < before)
            {
                threshold = Scan.Threshold(query, farthest);
            }
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
        public int Kept;
        public int* Nearest;
        public int* Distance;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * HammingQueries, endRow = Math.Min(firstRow + HammingQueries, Rows);
            new Span<int>(Nearest + ((long)Kept * firstRow), Kept * (endRow - firstRow)).Fill(-1);
            new Span<int>(Distance + ((long)Kept * firstRow), Kept * (endRow - firstRow)).Fill(int.MaxValue);
            if (Packed != null)
            {
                byte* halves = stackalloc byte[HammingQueries * 2 * Width];
                HammingScan.Split(Queries + ((long)firstRow * Width), (endRow - firstRow) * Width, halves);

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
                    Scan(Queries + ((long)row * Width), start, end, Nearest + ((long)Kept * row), Distance + ((long)Kept * row));
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
                int* indices = Nearest + ((long)Kept * r), best = Distance + ((long)Kept * r);
                ref int farthest = ref best[Kept - 1];
                if (farthest > byte.MaxValue)
                {
                    // A byte does not tell 256 from 255, nor from no distance at all.
                    Scan(Queries + ((long)r * Width), start, start + count, indices, best);
                    continue;
                }

                for (int first = 0; first < count; first += 32)
                {
                    uint below = farthest == 0 ? 0 : HammingScan.Below(distances + first, count - first, farthest);
                    for (; below != 0; below &= below - 1)
                    {
                        int target = first + BitOperations.TrailingZeroCount(below);
                        if (distances[target] < farthest)
                        {
                            Insert(distances[target], start + target, best, indices, Kept);
                        }
                    }
                }
            }
        }

        private readonly void Scan(byte* query, int start, int end, int* indices, int* best)
        {
            int farthest = best[Kept - 1], width = Width;
            byte* target = Targets + ((long)start * width);
            ulong query0 = width < 16 ? 0 : *(ulong*)query, query1 = width < 16 ? 0 : *(ulong*)(query + 8);
            for (int column = start; column < end; column++, target += width)
            {
                int d = width < 16 ? HammingScan.Distance(query, target, 0, width)
                    : BitOperations.PopCount(query0 ^ *(ulong*)target) + BitOperations.PopCount(query1 ^ *(ulong*)(target + 8));
                if (width > 16)
                {
                    d += HammingScan.Distance(query, target, 16, width);
                }

                if (d < farthest)
                {
                    Insert(d, column, best, indices, Kept);
                    farthest = best[Kept - 1];
                }
            }
        }
    }
}
