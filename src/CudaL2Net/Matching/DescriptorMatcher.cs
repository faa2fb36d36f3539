using CudaL2Net.Devices;
using CudaL2Net.Tensors;

namespace CudaL2Net.Matching;

/// <summary>A query descriptor and its nearest target.</summary>
/// <param name="Query">Row of the queries.</param>
/// <param name="Target">Row of the targets: the nearest, the lower row on ties.</param>
/// <param name="Distance">Euclidean distance, or the number of differing bits.</param>
/// <param name="SecondDistance">The distance of the second nearest; infinity where there is one target only.</param>
public readonly record struct DescriptorMatch(int Query, int Target, float Distance, float SecondDistance);

/// <summary>Which nearest neighbours are taken for matches.</summary>
/// <param name="Mutual">Keep a match only if the query is also the nearest of its target.</param>
/// <param name="Ratio">Keep a match only if distance &lt; ratio x second distance (Lowe, IJCV 2004); 1 or more keeps all.</param>
public readonly record struct MatchOptions(bool Mutual = false, double Ratio = 1);

/// <summary>Finds nearest descriptors by exhaustive search on a device.</summary>
/// <param name="device">Where the search runs.</param>
public sealed class DescriptorMatcher(Device device)
{
    /// <summary>The nearest target of every query, by Euclidean distance.</summary>
    /// <param name="queries">[n][dimension].</param>
    /// <param name="targets">[m][dimension].</param>
    /// <param name="dimension">Floats of a descriptor.</param>
    /// <returns>[n], query by query; empty where there are no targets.</returns>
    /// <exception cref="ArgumentException">The arrays do not hold whole descriptors.</exception>
    public DescriptorMatch[] Nearest(ReadOnlySpan<float> queries, ReadOnlySpan<float> targets, int dimension)
    {
        (int n, int m) = Count(queries.Length, targets.Length, dimension);
        if (n == 0 || m == 0)
        {
            return [];
        }

        using Tensor<float> from = device.Upload(queries, n, dimension), to = device.Upload(targets, m, dimension), distance = device.Allocate<float>(n, 2);
        using Tensor<int> nearest = device.Allocate<int>(n, 2);
        device.Kernels.NearestEuclidean(from, to, nearest, distance);
        return Collect(nearest.ToArray(), distance.ToArray());
    }

    /// <summary>The nearest target of every query, by Hamming distance.</summary>
    /// <param name="queries">[n][bytes] packed bits.</param>
    /// <param name="targets">[m][bytes].</param>
    /// <param name="bytes">Bytes of a descriptor.</param>
    /// <returns>[n], query by query; empty where there are no targets.</returns>
    /// <exception cref="ArgumentException">The arrays do not hold whole descriptors.</exception>
    public DescriptorMatch[] Nearest(ReadOnlySpan<byte> queries, ReadOnlySpan<byte> targets, int bytes)
    {
        (int n, int m) = Count(queries.Length, targets.Length, bytes);
        if (n == 0 || m == 0)
        {
            return [];
        }

        using Tensor<byte> from = device.Upload(queries, n, bytes), to = device.Upload(targets, m, bytes);
        using Tensor<int> nearest = device.Allocate<int>(n, 2), distance = device.Allocate<int>(n, 2);
        device.Kernels.NearestHamming(from, to, nearest, distance);
        return Collect(nearest.ToArray(), Array.ConvertAll(distance.ToArray(), bits => bits == int.MaxValue ? float.PositiveInfinity : bits));
    }

    /// <summary>Nearest targets that pass the tests of <paramref name="options"/>, by Euclidean distance.</summary>
    /// <param name="queries">[n][dimension].</param>
    /// <param name="targets">[m][dimension].</param>
    /// <param name="dimension">Floats of a descriptor.</param>
    /// <param name="options">The tests.</param>
    /// <exception cref="ArgumentException">The arrays do not hold whole descriptors, or the ratio is not above 0.</exception>
    public DescriptorMatch[] Match(ReadOnlySpan<float> queries, ReadOnlySpan<float> targets, int dimension, MatchOptions options) =>
        Filter(Nearest(queries, targets, dimension), options.Mutual ? Nearest(targets, queries, dimension) : null, options);

    /// <summary>Nearest targets that pass the tests of <paramref name="options"/>, by Hamming distance.</summary>
    /// <param name="queries">[n][bytes] packed bits.</param>
    /// <param name="targets">[m][bytes].</param>
    /// <param name="bytes">Bytes of a descriptor.</param>
    /// <param name="options">The tests.</param>
    /// <exception cref="ArgumentException">The arrays do not hold whole descriptors, or the ratio is not above 0.</exception>
    public DescriptorMatch[] Match(ReadOnlySpan<byte> queries, ReadOnlySpan<byte> targets, int bytes, MatchOptions options) =>
        Filter(Nearest(queries, targets, bytes), options.Mutual ? Nearest(targets, queries, bytes) : null, options);

    private static (int Queries, int Targets) Count(int queries, int targets, int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimension);
        if (queries % dimension != 0 || targets % dimension != 0)
        {
            throw new ArgumentException($"arrays of {queries} and {targets} elements do not hold whole descriptors of {dimension}");
        }

        return (queries / dimension, targets / dimension);
    }

    private static DescriptorMatch[] Collect(int[] nearest, float[] distance)
    {
        var matches = new DescriptorMatch[nearest.Length / 2];
        for (int i = 0; i < matches.Length; i++)
        {
            float second = nearest[(2 * i) + 1] < 0 ? float.PositiveInfinity : distance[(2 * i) + 1];
            matches[i] = new DescriptorMatch(i, nearest[2 * i], distance[2 * i], second);
        }

        return matches;
    }

    private static DescriptorMatch[] Filter(DescriptorMatch[] matches, DescriptorMatch[]? back, MatchOptions options)
    {
        if (!(options.Ratio > 0))
        {
            throw new ArgumentException($"the ratio must be above 0, not {options.Ratio}");
        }

        return Array.FindAll(
            matches,
            match => (options.Ratio >= 1 || match.Distance < options.Ratio * match.SecondDistance) && (back is null || back[match.Target].Target == match.Query));
    }
}
