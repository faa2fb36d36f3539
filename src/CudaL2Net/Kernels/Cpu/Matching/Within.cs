using System.Numerics;
using System.Runtime.CompilerServices;

namespace CudaL2Net.Kernels.Cpu;

// All targets within a radius: the scans of the nearest ones, with a threshold that stays.
internal sealed unsafe partial class CpuDevice
{
    public void WithinEuclidean(Tensor<float> queries, SearchTargets<float> targets, float radius, Tensor<FoundNeighbor> found, Tensor<long> total)
    {
        targets.QueriesOf(queries);
        var job = new WithinJob { Scan = StartEuclidean(queries, (FloatTargets)targets), Radius = radius, Found = new FoundList(found, total) };
        pool.For(job.Scan.Blocks, job);
    }

    public void WithinHamming(Tensor<byte> queries, SearchTargets<byte> targets, int radius, Tensor<FoundNeighbor> found, Tensor<long> total)
    {
        int rows = targets.QueriesOf(queries);
        Tensor<byte>? packed = ((BitTargets)targets).Packed;
        var job = new HammingWithinJob
        {
            Queries = queries.Pointer,
            Targets = targets.Rows.Pointer,

            // Packed distances stop at 255.
            Packed = packed is not null && radius < byte.MaxValue ? packed.Pointer : null,
            Rows = rows,
            Columns = targets.Count,
            Width = targets.Width,
            Radius = radius,
            Found = new FoundList(found, total),
        };
        pool.For(InnerProducts.Panels(rows, HammingQueries), job);
    }

    /// <summary>Where all workers put what they find.</summary>
    private readonly struct FoundList(Tensor<FoundNeighbor> found, Tensor<long> total)
    {
        private readonly FoundNeighbor* items = found.Pointer;
        private readonly long* total = total.Pointer;
        private readonly int capacity = found.Length;

        public void Add(FoundNeighbor* some, int count)
        {
            if (count == 0)
            {
                return;
            }

            long first = Interlocked.Add(ref *total, count) - count;
            for (int i = 0; i < count && first + i < capacity; i++)
            {
                items[first + i] = some[i];
            }
        }
    }

    private struct WithinJob : IParallelJob
    {
        public EuclideanScan Scan;
        public float Radius;
        public FoundList Found;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * ProductScan.BlockRows;
            float* thresholds = stackalloc float[ProductScan.BlockRows];
            for (int row = 0; row < Scan.RowsOf(firstRow); row++)
            {
                thresholds[row] = Scan.Threshold(firstRow + row, Radius);
            }

            var visitor = new WithinVisitor { Scan = Scan, FirstRow = firstRow, Thresholds = thresholds, Radius = Radius, Found = Found };
            Scan.Run(firstRow, worker, ref visitor);
        }
    }

    [SkipLocalsInit]
    private struct WithinVisitor : IScoreVisitor
    {
        public EuclideanScan Scan;
        public int FirstRow;
        public float* Thresholds;
        public float Radius;
        public FoundList Found;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            threshold = Thresholds[row];
            FoundNeighbor* some = stackalloc FoundNeighbor[InnerProducts.ColumnTile];
            int count = 0;
            for (int c = 0; c < InnerProducts.ColumnTile; c++)
            {
                if (!(scores[c] < threshold))
                {
                    continue;
                }

                float distance = Scan.Measure(FirstRow + row, firstColumn + c);
                if (distance <= Radius && float.IsFinite(distance))
                {
                    some[count++] = new FoundNeighbor { Query = FirstRow + row, Target = firstColumn + c, Distance = distance };
                }
            }

            Found.Add(some, count);
        }
    }

    [SkipLocalsInit]
    private struct HammingWithinJob : IParallelJob
    {
        public byte* Queries;
        public byte* Targets;
        public byte* Packed;
        public int Rows;
        public int Columns;
        public int Width;
        public int Radius;
        public FoundList Found;

        public readonly void Run(int index, int worker)
        {
            int firstRow = index * HammingQueries, endRow = Math.Min(firstRow + HammingQueries, Rows);
            byte* halves = stackalloc byte[Packed == null ? 0 : HammingQueries * 2 * Width], distances = stackalloc byte[2 * HammingScan.Group];
            FoundNeighbor* some = stackalloc FoundNeighbor[HammingScan.Group];
            if (Packed != null)
            {
                HammingScan.Split(Queries + ((long)firstRow * Width), (endRow - firstRow) * Width, halves);
            }

            for (int start = 0; start < Columns; start += HammingScan.Group)
            {
                int count = Math.Min(HammingScan.Group, Columns - start);
                for (int row = firstRow; row < endRow; row += 2)
                {
                    int second = Math.Min(row + 1, endRow - 1);
                    if (Packed == null)
                    {
                        Scan(row, start, count, some);
                        if (second > row)
                        {
                            Scan(second, start, count, some);
                        }

                        continue;
                    }

                    byte* first = halves + ((row - firstRow) * 2 * Width), other = first + ((second - row) * 2 * Width);
                    HammingScan.Distances(first, other, Width, Packed + ((nint)(start / HammingScan.Group) * HammingScan.GroupLength(Width)), distances);
                    for (int r = row; r <= second; r++)
                    {
                        Collect(r, start, count, distances + ((r - row) * HammingScan.Group), some);
                    }
                }
            }
        }

        private readonly void Collect(int row, int start, int count, byte* distances, FoundNeighbor* some)
        {
            int number = 0;
            for (int first = 0; first < count; first += 32)
            {
                for (uint below = HammingScan.Below(distances + first, count - first, Radius + 1); below != 0; below &= below - 1)
                {
                    int target = first + BitOperations.TrailingZeroCount(below);
                    some[number++] = new FoundNeighbor { Query = row, Target = start + target, Distance = distances[target] };
                }
            }

            Found.Add(some, number);
        }

        private readonly void Scan(int row, int start, int count, FoundNeighbor* some)
        {
            int number = 0;
            byte* query = Queries + ((long)row * Width);
            for (int target = start; target < start + count; target++)
            {
                int distance = HammingScan.Distance(query, Targets + ((long)target * Width), 0, Width);
                if (distance <= Radius)
                {
                    some[number++] = new FoundNeighbor { Query = row, Target = target, Distance = distance };
                }
            }

            Found.Add(some, number);
        }
    }
}
