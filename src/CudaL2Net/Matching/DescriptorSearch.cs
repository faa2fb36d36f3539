using CudaL2Net.Kernels;

namespace CudaL2Net.Matching;

/// <summary>A query descriptor and its nearest target.</summary>
/// <param name="Query">Row of the queries.</param>
/// <param name="Target">Row of the targets: the nearest, the lower row on ties.</param>
/// <param name="Distance">Euclidean distance, or the number of differing bits.</param>
/// <param name="SecondDistance">The distance of the second nearest; infinity where there is one target only.</param>
public readonly record struct DescriptorMatch(int Query, int Target, float Distance, float SecondDistance);

/// <summary>Which nearest neighbours are taken for matches.</summary>
/// <param name="Mutual">Keep a match only if the query is also the nearest of its target.</param>
/// <param name="Ratio">Keep a match only if distance &lt; ratio x second distance (Lowe, IJCV 2004); above 0, 1 or more keeps all.</param>
public readonly record struct MatchOptions(bool Mutual, double Ratio);

/// <summary>Finds near descriptors by exhaustive search on a device. Many threads may use one search, and several searches of one device, at once; they take
/// turns. Where targets are searched more than once, a <see cref="DescriptorIndex"/> spares preparing them again.</summary>
/// <param name="device">Where the search runs.</param>
public sealed class DescriptorSearch(Device device)
{
    /// <summary>The nearest target of every query, by the distance of their kind.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <returns>[n], query by query; empty where there are no targets. A query without a neighbour has target -1 and infinite distances.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorMatch[] Nearest(DescriptorSet queries, DescriptorSet targets)
    {
        using DescriptorIndex index = Index(queries, targets);
        return index.Nearest(queries);
    }

    /// <summary>Nearest targets that pass the tests of <paramref name="options"/>.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <param name="options">The tests.</param>
    /// <returns>At most n matches, by rising query.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension, or the ratio is not above 0.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorMatch[] Match(DescriptorSet queries, DescriptorSet targets, MatchOptions options)
    {
        using DescriptorIndex index = Index(queries, targets);
        return index.Match(queries, options);
    }

    /// <summary>The k nearest targets of every query.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <param name="k">Neighbours wanted, at least 1. Made for some tens: a neighbour that is found moves the farther ones.</param>
    /// <returns>n lists of k neighbours; of fewer where there are not so many targets.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension, or n k neighbours are more than an array holds.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="k"/> is below 1.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorNeighbors KNearest(DescriptorSet queries, DescriptorSet targets, int k)
    {
        using DescriptorIndex index = Index(queries, targets);
        return index.KNearest(queries, k);
    }

    /// <summary>All targets within a radius of every query.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <param name="radius">The largest distance that counts: Euclidean, or differing bits; at least 0, infinity for all.</param>
    /// <returns>n lists.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension, or more targets lie within the radius than an array holds.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="radius"/> is negative or not a number.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorNeighbors Within(DescriptorSet queries, DescriptorSet targets, float radius)
    {
        using DescriptorIndex index = Index(queries, targets);
        return index.Within(queries, radius);
    }

    // Sets that do not fit are refused before anything is prepared.
    private DescriptorIndex Index(DescriptorSet queries, DescriptorSet targets)
    {
        ArgumentNullException.ThrowIfNull(queries);
        queries.RequireSameKind(targets);
        return new DescriptorIndex(device, targets);
    }
}
