using System.Numerics;
using System.Runtime.InteropServices;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Numerics;

namespace CudaL2Net.Matching;

/// <summary>
/// Counts how many targets are nearer to a query than given distances: the ranks of its right answers, without ever storing a matrix of distances. Floats are
/// compared by tiles of inner products at nearly the rate of the multiply-adds; only where the result lies within their rounding error of a given distance is
/// the difference taken in double precision, so that the counts are exact.
/// </summary>
public static unsafe class NearerTargets
{
    /// <summary>Counts.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <param name="limits">[n][perQuery]: the given distances; Euclidean ones squared, or numbers of differing bits.</param>
    /// <param name="perQuery">Given distances of a query.</param>
    /// <param name="queryGroups">[n]: targets of a query's own group are not counted.</param>
    /// <param name="targetGroups">[m]: the targets' groups.</param>
    /// <param name="ends">For each group of queries, rising: count among the targets before each of these rows.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>[n][perQuery][ends]: the targets with a distance strictly below the given one.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension, or lengths do not agree.</exception>
    public static int[] Count(
        DescriptorSet queries, DescriptorSet targets, double[] limits, int perQuery, int[] queryGroups, int[] targetGroups, int[][] ends, int threads = 0)
    {
        var parallel = new Parallelism(threads);
        ArgumentNullException.ThrowIfNull(queries);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(queryGroups);
        ArgumentNullException.ThrowIfNull(targetGroups);
        ArgumentNullException.ThrowIfNull(ends);
        queries.RequireSameKind(targets);
        if (limits.Length != queries.Count * perQuery || queryGroups.Length != queries.Count || targetGroups.Length != targets.Count
            || ends.Any(rows => rows.Length != ends[0].Length || rows.Zip(rows.Skip(1)).Any(pair => pair.First > pair.Second)))
        {
            throw new ArgumentException($"the limits, groups or ends do not belong to {queries} and {targets}");
        }

        if (queries.Count == 0)
        {
            return [];
        }

        var tally = new Tally(queries, targets, limits, perQuery, queryGroups, targetGroups, ends);
        if (queries.Values is null)
        {
            parallel.For(queries.Count, tally.CountBits);
        }
        else if (targets.Count > 0)
        {
            CountFloats(queries, targets, tally, parallel);
        }

        return tally.Sums();
    }

    private static void CountFloats(DescriptorSet queries, DescriptorSet targets, Tally tally, Parallelism parallel)
    {
        int depth = queries.Dimension, panels = InnerProducts.Panels(targets.Count, InnerProducts.ColumnTile), padded = panels * InnerProducts.ColumnTile;
        float* packed = Allocate(padded * (long)depth);
        float* squares = Allocate(padded);
        try
        {
            fixed (float* values = targets.Values, queryValues = queries.Values)
            {
                nint targetAddress = (nint)values, queryAddress = (nint)queryValues, packedAddress = (nint)packed, squareAddress = (nint)squares;
                parallel.For(panels, panel =>
                {
                    int first = panel * InnerProducts.ColumnTile, count = Math.Min(InnerProducts.ColumnTile, targets.Count - first);
                    var source = new MatrixOperand((float*)targetAddress, depth, 1);
                    InnerProducts.Pack(source, first, count, depth, (float*)packedAddress + (first * (long)depth), InnerProducts.ColumnTile);
                    for (int column = first; column < first + InnerProducts.ColumnTile; column++)
                    {
                        float* row = (float*)targetAddress + (column * (long)depth);
                        ((float*)squareAddress)[column] = column < targets.Count ? Vectors.Dot(row, row, depth) : float.PositiveInfinity;
                    }
                });
                float longest = 0;
                for (int column = 0; column < targets.Count; column++)
                {
                    longest = Math.Max(longest, squares[column]);
                }

                var tallyHandle = GCHandle.Alloc(tally);
                nint handle = GCHandle.ToIntPtr(tallyHandle);
                try
                {
                    parallel.For(InnerProducts.Panels(queries.Count, ProductScan.BlockRows), block => ScanBlock(
                        queries.Count, (float*)queryAddress, depth, block, (float*)packedAddress, (float*)squareAddress, targets.Count, longest, handle));
                }
                finally
                {
                    tallyHandle.Free();
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
        int queries, float* values, int depth, int block, float* panels, float* squares, int columns, float longest, nint tally)
    {
        int firstRow = block * ProductScan.BlockRows, count = Math.Min(ProductScan.BlockRows, queries - firstRow);
        float* packed = Allocate(ProductScan.BlockRows * (long)depth);
        float* lengths = stackalloc float[ProductScan.BlockRows];
        for (int row = 0; row < count; row++)
        {
            float* query = values + ((firstRow + row) * (long)depth);
            lengths[row] = Vectors.Dot(query, query, depth);
        }

        var visitor = new Visitor { Tally = tally, FirstRow = firstRow, Lengths = lengths, Longest = longest, Depth = depth };
        ProductScan.Run(new MatrixOperand(values, depth, 1), firstRow, count, panels, squares, columns, depth, packed, ref visitor);
        NativeMemory.AlignedFree(packed);
    }

    private static float* Allocate(long floats) => (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);

    private struct Visitor : IScoreVisitor
    {
        public nint Tally;
        public int FirstRow;
        public int Depth;
        public float* Lengths;
        public float Longest;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            var tally = (Tally)GCHandle.FromIntPtr(Tally).Target!;

            // A sum of n products is wrong by at most n units in the last place of the sum of their sizes; twice that, for the squares' sums.
            const double Unit = 1.0 / (1 << 23);
            double size = Math.Sqrt(Lengths[row]) + Math.Sqrt(Longest), error = (Depth + 16) * Unit * size * size;
            threshold = (float)(tally.Loosest(FirstRow + row) + error - Lengths[row]);
            for (int c = 0; c < InnerProducts.ColumnTile; c++)
            {
                if (scores[c] <= threshold)
                {
                    tally.Add(FirstRow + row, firstColumn + c, scores[c] + (double)Lengths[row], error);
                }
            }
        }
    }

    private sealed class Tally(
        DescriptorSet queries, DescriptorSet targets, double[] limits, int perQuery, int[] queryGroups, int[] targetGroups, int[][] ends)
    {
        private readonly int parts = ends.Length == 0 ? 0 : ends[0].Length;
        private readonly int[] counts = new int[limits.Length * (ends.Length == 0 ? 0 : ends[0].Length)];

        public double Loosest(int query)
        {
            double loosest = double.NegativeInfinity;
            foreach (double limit in limits.AsSpan(query * perQuery, perQuery))
            {
                loosest = Math.Max(loosest, limit);
            }

            return loosest;
        }

        public void Add(int query, int target, double difference, double error)
        {
            int group = queryGroups[query];
            if (targetGroups[target] == group)
            {
                return;
            }

            int part = 0;
            foreach (int end in ends[group])
            {
                part += end <= target ? 1 : 0;
            }

            if (part == parts)
            {
                return;
            }

            for (int k = query * perQuery; k < (query + 1) * perQuery; k++)
            {
                if (error > 0 && Math.Abs(difference - limits[k]) <= error)
                {
                    (difference, error) = (queries.Difference(query, targets, target), 0);
                }

                counts[(k * parts) + part] += difference < limits[k] ? 1 : 0;
            }
        }

        public void CountBits(int query)
        {
            int bytes = queries.Dimension / 8;
            double loosest = Loosest(query);
            ReadOnlySpan<byte> a = queries.Bits.AsSpan(query * bytes, bytes);
            for (int target = 0; target < targets.Count; target++)
            {
                ReadOnlySpan<byte> b = targets.Bits.AsSpan(target * bytes, bytes);
                int differing = 0, k = 0;
                for (; k <= bytes - sizeof(ulong); k += sizeof(ulong))
                {
                    differing += BitOperations.PopCount(BitConverter.ToUInt64(a[k..]) ^ BitConverter.ToUInt64(b[k..]));
                }

                for (; k < bytes; k++)
                {
                    differing += BitOperations.PopCount((uint)(a[k] ^ b[k]));
                }

                if (differing < loosest)
                {
                    Add(query, target, differing, error: 0);
                }
            }
        }

        /// <summary>Counts of the parts between two ends, summed up from the first row on.</summary>
        public int[] Sums()
        {
            for (int i = 0; i < counts.Length; i++)
            {
                counts[i] += i % parts == 0 ? 0 : counts[i - 1];
            }

            return counts;
        }
    }
}
