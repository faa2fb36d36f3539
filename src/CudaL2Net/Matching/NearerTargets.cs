using System.Numerics;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Matching;

/// <summary>
/// Counts how many targets are nearer to a query than given distances: the ranks of its right answers, without ever storing a matrix of distances. Floats are
/// compared by tiles of inner products at nearly the rate of the multiply-adds; only where the result lies within their rounding error of a given distance is
/// the difference taken in double precision, so that the counts are exact.
/// </summary>
public static class NearerTargets
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
        if (queries.IsBinary)
        {
            parallel.For(queries.Count, tally.CountBits);
        }
        else if (targets.Count > 0)
        {
            HostMatching.VisitNear(queries.ValueSpan, queries.Count, targets.ValueSpan, targets.Count, queries.Dimension, tally, parallel);
        }

        return tally.Sums();
    }

    private sealed class Tally(
        DescriptorSet queries, DescriptorSet targets, double[] limits, int perQuery, int[] queryGroups, int[] targetGroups, int[][] ends) : INearVisitor
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
            ReadOnlySpan<byte> a = queries.BitSpan.Slice(query * bytes, bytes);
            for (int target = 0; target < targets.Count; target++)
            {
                ReadOnlySpan<byte> b = targets.BitSpan.Slice(target * bytes, bytes);
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
