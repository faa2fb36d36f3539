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

/// <summary>Finds nearest descriptors by exhaustive search on a device. Many threads may use one search, and several searches of one device, at once; they take
/// turns.</summary>
/// <param name="device">Where the search runs.</param>
public sealed class DescriptorSearch(Device device)
{
    /// <summary>The nearest target of every query, by the distance of their kind.</summary>
    /// <param name="queries">n descriptors.</param>
    /// <param name="targets">m descriptors of the same kind.</param>
    /// <returns>[n], query by query; empty where there are no targets.</returns>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public DescriptorMatch[] Nearest(DescriptorSet queries, DescriptorSet targets)
    {
        ArgumentNullException.ThrowIfNull(queries);
        queries.RequireSameKind(targets);
        device.ThrowIfDisposed();
        int n = queries.Count, m = targets.Count;
        if (n == 0 || m == 0)
        {
            return [];
        }

        using DeviceGate.Entry entry = device.Enter();
        using Tensor<int> nearest = device.Allocate<int>(n, 2);
        float[] distances;
        if (queries.Values is not null)
        {
            using Tensor<float> from = device.Upload<float>(queries.Values, n, queries.Dimension), to = device.Upload<float>(targets.Values, m,
                queries.Dimension);
            using Tensor<float> distance = device.Allocate<float>(n, 2);
            device.Kernels.NearestEuclidean(from, to, nearest, distance);
            distances = distance.ToArray();
        }
        else
        {
            using Tensor<byte> from = device.Upload<byte>(queries.Bits, n, queries.Dimension / 8), to = device.Upload<byte>(targets.Bits, m,
                queries.Dimension / 8);
            using Tensor<int> distance = device.Allocate<int>(n, 2);
            device.Kernels.NearestHamming(from, to, nearest, distance);
            distances = Array.ConvertAll(distance.ToArray(), bits => (float)bits);
        }

        return Collect(nearest.ToArray(), distances);
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
        if (!(options.Ratio > 0))
        {
            throw new ArgumentException($"the ratio must be above 0, not {options.Ratio}");
        }

        DescriptorMatch[] matches = Nearest(queries, targets);
        DescriptorMatch[]? back = options.Mutual ? Nearest(targets, queries) : null;
        return Array.FindAll(
            matches,
            match => (options.Ratio >= 1 || match.Distance < options.Ratio * match.SecondDistance) && (back is null
                || back[match.Target].Target == match.Query));
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
}
