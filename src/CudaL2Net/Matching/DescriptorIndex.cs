using CudaL2Net.Kernels;

namespace CudaL2Net.Matching;

/// <summary>
/// Descriptors that are kept on a device, laid out for being searched: built once, searched many times. A search is exhaustive and exact, and gives what
/// <see cref="DescriptorSearch"/> gives, to the bit; nothing of the targets is copied or prepared again. Many threads may use one index at once; they take turns
/// on its device.
/// </summary>
/// <remarks>
/// Euclidean distances are sqrt(sum (a - b)^2) in float32; on another kind of device the terms are added in another order, so a last digit can differ, and with
/// it the order of neighbours that are that close. Pairs whose distance is not finite are no neighbours; |a|^2 must be finite, too. An index holds about twice
/// the memory of its descriptors on the CPU, 1.5 times on a GPU.
/// </remarks>
public sealed class DescriptorIndex : IDisposable
{
    private readonly Device device;
    private readonly DescriptorSet empty;
    private readonly Kept<float>? values;
    private readonly Kept<byte>? bits;
    private volatile bool disposed;

    /// <summary>Copies descriptors to a device and prepares them.</summary>
    /// <param name="device">Where the searches run; it must outlive the index.</param>
    /// <param name="targets">m descriptors; they are not used afterwards.</param>
    /// <exception cref="OutOfMemoryException">The device has not enough memory.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorIndex(Device device, DescriptorSet targets)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(targets);
        this.device = device;
        Count = targets.Count;
        empty = targets.IsBinary ? DescriptorSet.FromBits([], targets.Dimension) : DescriptorSet.FromValues([], targets.Dimension);
        using DeviceGate.Entry entry = device.Enter();
        if (Count > 0)
        {
            values = targets.IsBinary ? null : new Kept<float>(device.Upload(targets.ValueSpan, Count, Dimension), device.Kernels.Prepare);
            bits = targets.IsBinary ? new Kept<byte>(device.Upload(targets.BitSpan, Count, Dimension / 8), device.Kernels.Prepare) : null;
        }
    }

    /// <summary>Targets.</summary>
    public int Count { get; }

    /// <summary>Values, or bits, of a descriptor.</summary>
    public int Dimension => empty.Dimension;

    /// <summary>Whether they are bits, compared by Hamming distance, instead of floats, compared by Euclidean distance.</summary>
    public bool IsBinary => empty.IsBinary;

    /// <summary>The nearest target of every query.</summary>
    /// <param name="queries">n descriptors of the kind of the targets.</param>
    /// <returns>[n], query by query; empty where there are no targets. A query without a neighbour has target -1 and infinite distances.</returns>
    /// <exception cref="ArgumentException">The queries are of another kind or dimension.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public DescriptorMatch[] Nearest(DescriptorSet queries)
    {
        (int[] nearest, float[] distances) = Search(queries, 2);
        var matches = new DescriptorMatch[Count == 0 ? 0 : queries.Count];
        for (int i = 0; i < matches.Length; i++)
        {
            matches[i] = new DescriptorMatch(i, nearest[2 * i], distances[2 * i], distances[(2 * i) + 1]);
        }

        return matches;
    }

    /// <summary>Nearest targets that pass the tests of <paramref name="options"/>.</summary>
    /// <param name="queries">n descriptors of the kind of the targets.</param>
    /// <param name="options">The tests.</param>
    /// <returns>At most n matches, by rising query.</returns>
    /// <exception cref="ArgumentException">The queries are of another kind or dimension, or the ratio is not above 0.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public DescriptorMatch[] Match(DescriptorSet queries, MatchOptions options)
    {
        if (!(options.Ratio > 0))
        {
            throw new ArgumentException($"the ratio must be above 0, not {options.Ratio}");
        }

        DescriptorMatch[] matches = Nearest(queries);
        int[]? back = options.Mutual && matches.Length > 0 ? NearestOfTargets(queries) : null;
        return Array.FindAll(
            matches,
            match => match.Target >= 0 && (options.Ratio >= 1 || match.Distance < options.Ratio * match.SecondDistance)
                && (back is null || back[match.Target] == match.Query));
    }

    /// <summary>The k nearest targets of every query.</summary>
    /// <param name="queries">n descriptors of the kind of the targets.</param>
    /// <param name="k">Neighbours wanted, at least 1. Made for some tens: a neighbour that is found moves the farther ones.</param>
    /// <returns>n lists of k neighbours; of fewer where there are not so many targets.</returns>
    /// <exception cref="ArgumentException">The queries are of another kind or dimension, or n k neighbours are more than an array holds.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="k"/> is below 1.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public DescriptorNeighbors KNearest(DescriptorSet queries, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        (int[] nearest, float[] distances) = Search(queries, Math.Min(k, Count));
        return DescriptorNeighbors.FromRows(nearest, distances, queries.Count);
    }

    /// <summary>The k nearest targets of every query, floats, into memory of the caller's.</summary>
    /// <param name="queries">[n][dimension].</param>
    /// <param name="k">Neighbours wanted, at least 1.</param>
    /// <param name="targets">[n][k], written: rows of the targets, the nearest first, then -1 where there are fewer than k.</param>
    /// <param name="distances">[n][k], written: Euclidean distances, then infinity.</param>
    /// <exception cref="ArgumentException">The index is binary, or the lengths do not agree.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="k"/> is below 1.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public void KNearest(ReadOnlySpan<float> queries, int k, Span<int> targets, Span<float> distances)
    {
        RequireKind(binary: false);
        SearchInto(values, queries, RowsOf(queries.Length, Dimension, k, targets, distances), k, targets, distances, EuclideanInto);
    }

    /// <summary>The k nearest targets of every query, packed bits, into memory of the caller's.</summary>
    /// <param name="queries">[n][dimension / 8].</param>
    /// <param name="k">Neighbours wanted, at least 1.</param>
    /// <param name="targets">[n][k], written: rows of the targets, the nearest first, then -1 where there are fewer than k.</param>
    /// <param name="distances">[n][k], written: numbers of differing bits, then infinity.</param>
    /// <exception cref="ArgumentException">The index is of floats, or the lengths do not agree.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="k"/> is below 1.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public void KNearest(ReadOnlySpan<byte> queries, int k, Span<int> targets, Span<float> distances)
    {
        RequireKind(binary: true);
        SearchInto(bits, queries, RowsOf(queries.Length, Dimension / 8, k, targets, distances), k, targets, distances, HammingInto);
    }

    /// <summary>All targets within a radius of every query.</summary>
    /// <param name="queries">n descriptors of the kind of the targets.</param>
    /// <param name="radius">The largest distance that counts: Euclidean, or differing bits; at least 0, infinity for all.</param>
    /// <returns>n lists.</returns>
    /// <exception cref="ArgumentException">The queries are of another kind or dimension, or more targets lie within the radius than an array holds.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="radius"/> is negative or not a number.</exception>
    /// <exception cref="OutOfMemoryException">The device has no room for what is found.</exception>
    /// <exception cref="ObjectDisposedException">The index or its device has been disposed of.</exception>
    public DescriptorNeighbors Within(DescriptorSet queries, float radius)
    {
        Require(queries);
        if (!(radius >= 0))
        {
            throw new ArgumentOutOfRangeException(nameof(radius), radius, "a radius is a number of 0 or more");
        }

        // A guess that mostly suffices; where it does not, the second search has room for all.
        FoundNeighbor[] found = Find(queries, radius, Math.Max(1024, 8L * queries.Count), out long total);
        if (total > found.Length)
        {
            found = total <= Array.MaxLength ? Find(queries, radius, total, out _) : throw new ArgumentException(
                $"{total} pairs of {queries} and {Count} targets lie within {radius}, and a call returns {Array.MaxLength} at most: ask for fewer queries at a time, or for a smaller radius");
        }

        return DescriptorNeighbors.FromPairs(found, queries.Count, device.Threads);
    }

    /// <summary>Gives the device's memory back. Does not wait: a search in another thread ends with <see cref="ObjectDisposedException"/>, or is done before.</summary>
    public void Dispose()
    {
        disposed = true;
        values?.Dispose();
        bits?.Dispose();
    }

    private delegate void SearchKept<T>(Kept<T> kept, Tensor<T> queries, int k, Span<int> targets, Span<float> distances)
        where T : unmanaged;

    private (int[] Nearest, float[] Distances) Search(DescriptorSet queries, int k)
    {
        Require(queries);
        if (Count == 0)
        {
            ThrowIfDisposed();
            return ([], []);
        }

        long length = (long)queries.Count * k;
        if (length > Array.MaxLength)
        {
            throw new ArgumentException($"{k} neighbours each of {queries} are {length}, and a call returns {Array.MaxLength} at most: ask for fewer queries at a time");
        }

        var nearest = new int[length];
        var distances = new float[length];
        SearchInto(values, queries.ValueSpan, queries.Count, k, nearest, distances, EuclideanInto);
        SearchInto(bits, queries.BitSpan, queries.Count, k, nearest, distances, HammingInto);
        return (nearest, distances);
    }

    /// <summary>The nearest query of every target: the way back.</summary>
    private int[] NearestOfTargets(DescriptorSet queries)
    {
        using var reverse = new DescriptorIndex(device, queries);
        var nearest = new int[Count];
        var distances = new float[Count];
        using DeviceGate.Entry entry = device.Enter();
        ThrowIfDisposed();
        if (values is not null)
        {
            reverse.EuclideanInto(reverse.values!, values.Rows, 1, nearest, distances);
        }
        else
        {
            reverse.HammingInto(reverse.bits!, bits!.Rows, 1, nearest, distances);
        }

        return nearest;
    }

    private void SearchInto<T>(Kept<T>? kept, ReadOnlySpan<T> queries, int count, int k, Span<int> targets, Span<float> distances, SearchKept<T> search)
        where T : unmanaged
    {
        ThrowIfDisposed();
        if (kept is null)
        {
            return;
        }

        using DeviceGate.Entry entry = device.Enter();
        ThrowIfDisposed();
        using Tensor<T> from = device.Upload(queries, count, kept.Targets.Width);
        search(kept, from, k, targets, distances);
    }

    private void EuclideanInto(Kept<float> kept, Tensor<float> queries, int k, Span<int> targets, Span<float> distances)
    {
        using Tensor<int> nearest = device.Allocate<int>(queries.Shape[0], k);
        using Tensor<float> distance = device.Allocate<float>(queries.Shape[0], k);
        device.Kernels.NearestEuclidean(queries, kept.Targets, nearest, distance);
        nearest.Read(targets);
        distance.Read(distances);
    }

    private void HammingInto(Kept<byte> kept, Tensor<byte> queries, int k, Span<int> targets, Span<float> distances)
    {
        using Tensor<int> nearest = device.Allocate<int>(queries.Shape[0], k), distance = device.Allocate<int>(queries.Shape[0], k);
        device.Kernels.NearestHamming(queries, kept.Targets, nearest, distance);
        nearest.Read(targets);
        int[] differing = distance.ToArray();
        for (int i = 0; i < differing.Length; i++)
        {
            distances[i] = targets[i] < 0 ? float.PositiveInfinity : differing[i];
        }
    }

    private FoundNeighbor[] Find(DescriptorSet queries, float radius, long capacity, out long total)
    {
        total = 0;
        if (Count == 0 || queries.Count == 0)
        {
            ThrowIfDisposed();
            return [];
        }

        using DeviceGate.Entry entry = device.Enter();
        ThrowIfDisposed();
        using Tensor<FoundNeighbor> found = device.Allocate<FoundNeighbor>((int)Math.Min(capacity, (long)queries.Count * Count));
        using Tensor<long> number = device.Allocate<long>(1);
        if (values is not null)
        {
            using Tensor<float> from = device.Upload(queries.ValueSpan, queries.Count, Dimension);
            device.Kernels.WithinEuclidean(from, values.Targets, radius, found, number);
        }
        else
        {
            using Tensor<byte> from = device.Upload(queries.BitSpan, queries.Count, Dimension / 8);
            device.Kernels.WithinHamming(from, bits!.Targets, (int)Math.Min(radius, Dimension), found, number);
        }

        total = number.ToArray()[0];
        return found.Rows(0, (int)Math.Min(total, found.Length)).ToArray();
    }

    private void Require(DescriptorSet queries)
    {
        ArgumentNullException.ThrowIfNull(queries);
        queries.RequireSameKind(empty);
    }

    private void RequireKind(bool binary)
    {
        if (IsBinary != binary)
        {
            throw new ArgumentException($"the index is of {(IsBinary ? "packed bits" : "floats")}, the queries are {(binary ? "packed bits" : "floats")}");
        }
    }

    /// <summary>The queries of a call with spans.</summary>
    private int RowsOf(int length, int width, int k, Span<int> targets, Span<float> distances)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        long count = DescriptorSet.Rows(length, width);
        if (targets.Length != count * k || distances.Length != count * k)
        {
            throw new ArgumentException($"{count} queries with {k} neighbours need {count * k} targets and distances, not {targets.Length} and {distances.Length}");
        }

        // A search writes every place; without targets there is none.
        if (Count == 0)
        {
            targets.Fill(-1);
            distances.Fill(float.PositiveInfinity);
        }

        return (int)count;
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(disposed, this);

    /// <summary>Rows on the device, and what it has made of them.</summary>
    private sealed class Kept<T> : IDisposable
        where T : unmanaged
    {
        public Kept(Tensor<T> rows, Func<Tensor<T>, SearchTargets<T>> prepare)
        {
            Rows = rows;
            Targets = prepare(rows);
        }

        public Tensor<T> Rows { get; }

        public SearchTargets<T> Targets { get; }

        public void Dispose()
        {
            Targets.Dispose();
            Rows.Dispose();
        }
    }
}
