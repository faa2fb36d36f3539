using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Matching;

/// <summary>A target near a query.</summary>
/// <param name="Target">Row of the targets.</param>
/// <param name="Distance">Euclidean distance, or the number of differing bits.</param>
public readonly record struct DescriptorNeighbor(int Target, float Distance);

/// <summary>The neighbours of each query: a list by rising distance, equal distances by rising target.</summary>
public sealed class DescriptorNeighbors
{
    private readonly DescriptorNeighbor[] all;

    // Where each query's list starts, and where the last one ends.
    private readonly int[] starts;

    private DescriptorNeighbors(DescriptorNeighbor[] all, int[] starts) => (this.all, this.starts) = (all, starts);

    /// <summary>Queries, each with a list, which may be empty.</summary>
    public int Count => starts.Length - 1;

    /// <summary>The neighbours in all lists together.</summary>
    public int Total => all.Length;

    /// <summary>The neighbours of a query, the nearest first.</summary>
    /// <param name="query">Row of the queries.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public ReadOnlySpan<DescriptorNeighbor> this[int query]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(query);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(query, Count);
            return all.AsSpan(starts[query]..starts[query + 1]);
        }
    }

    /// <summary>Takes sorted lists of one length, filled up with -1.</summary>
    internal static DescriptorNeighbors FromRows(int[] targets, float[] distances, int count)
    {
        int width = count == 0 ? 0 : targets.Length / count, total = 0;
        var all = new DescriptorNeighbor[targets.Length - targets.AsSpan().Count(-1)];
        var starts = new int[count + 1];
        for (int query = 0; query < count; query++)
        {
            for (int i = query * width; i < (query + 1) * width && targets[i] >= 0; i++)
            {
                all[total++] = new DescriptorNeighbor(targets[i], distances[i]);
            }

            starts[query + 1] = total;
        }

        return new DescriptorNeighbors(all, starts);
    }

    /// <summary>Sorts pairs that come in any order.</summary>
    internal static DescriptorNeighbors FromPairs(ReadOnlySpan<FoundNeighbor> pairs, int count, int threads)
    {
        var starts = new int[count + 1];
        foreach (FoundNeighbor pair in pairs)
        {
            starts[pair.Query + 1]++;
        }

        for (int query = 0; query < count; query++)
        {
            starts[query + 1] += starts[query];
        }

        // The bits of a distance, which is not negative, rise with it.
        var keys = new ulong[pairs.Length];
        int[] next = [.. starts];
        foreach (FoundNeighbor pair in pairs)
        {
            keys[next[pair.Query]++] = ((ulong)BitConverter.SingleToUInt32Bits(pair.Distance) << 32) | (uint)pair.Target;
        }

        var all = new DescriptorNeighbor[keys.Length];
        new Parallelism(threads).For(count, query =>
        {
            Span<ulong> list = keys.AsSpan(starts[query]..starts[query + 1]);
            list.Sort();
            for (int i = 0; i < list.Length; i++)
            {
                all[starts[query] + i] = new DescriptorNeighbor((int)(uint)list[i], BitConverter.UInt32BitsToSingle((uint)(list[i] >> 32)));
            }
        });
        return new DescriptorNeighbors(all, starts);
    }
}
