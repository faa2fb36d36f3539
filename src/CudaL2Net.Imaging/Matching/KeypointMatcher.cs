using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Matching;

/// <summary>Matches descriptors that are there already: of two images' keypoints, or without their keypoints. Many threads may use one at once.</summary>
/// <param name="device">Where nearest descriptors are searched.</param>
public sealed class KeypointMatcher(Device device)
{
    // The first inconsistent neighbour is nearly always among so many; where it is not, it is looked for among all.
    private const int Candidates = 16;

    private readonly DescriptorSearch search = new(device);

    /// <summary>Finds the matches that pass the tests of <paramref name="options"/>, without geometric verification.</summary>
    /// <param name="first">n descriptors.</param>
    /// <param name="second">m descriptors of the same kind.</param>
    /// <param name="options">The tests; nothing is detected.</param>
    /// <param name="secondKeypoints">The m keypoints of the second descriptors; null where they are not known, which <see cref="ImageMatchOptions.InconsistentDistance"/> does not allow.</param>
    /// <returns>By rising query, then by rising distance. The second distance is the one that the ratio is taken of.</returns>
    /// <exception cref="ArgumentException">The descriptors differ in kind or dimension, an option is out of range, or keypoints are missing or too few or many.</exception>
    public DescriptorMatch[] Match(DescriptorSet first, DescriptorSet second, ImageMatchOptions options, IReadOnlyList<Keypoint>? secondKeypoints)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        RequireAll(second, secondKeypoints, "second");
        if (options.InconsistentDistance is { } apart && secondKeypoints is null)
        {
            throw new ArgumentException($"neighbours {apart} pixels apart cannot be told without the keypoints of the second descriptors", nameof(secondKeypoints));
        }

        if (options is { Neighbours: 1, InconsistentDistance: null })
        {
            return search.Match(first, second, options.Match);
        }

        int most = options.Neighbours, reserve = options.InconsistentDistance is null ? 1 : Candidates;
        DescriptorNeighbors near = search.KNearest(first, second, most + reserve);
        DescriptorNeighbors? back = options.Match.Mutual ? search.KNearest(second, first, most) : null;
        var matches = new List<DescriptorMatch>();
        for (int query = 0; query < near.Count; query++)
        {
            for (int rank = 0; rank < Math.Min(most, near[query].Length); rank++)
            {
                (int target, float distance) = near[query][rank];
                if (back is not null && !IsAmong(back[target], query))
                {
                    continue;
                }

                float next = NextDistance(first, second, query, near[query], target, options, secondKeypoints);
                if (options.Match.Ratio >= 1 || distance < options.Match.Ratio * next)
                {
                    matches.Add(new DescriptorMatch(query, target, distance, next));
                }
            }
        }

        return [.. matches];
    }

    /// <summary>Finds and verifies the matches of two images' keypoints.</summary>
    /// <param name="first">n descriptors.</param>
    /// <param name="firstKeypoints">Their keypoints.</param>
    /// <param name="second">m descriptors of the same kind.</param>
    /// <param name="secondKeypoints">Their keypoints.</param>
    /// <param name="options">The tests; nothing is detected.</param>
    /// <exception cref="ArgumentException">The descriptors differ in kind or dimension, an option is out of range, or keypoints are too few or many.</exception>
    public ImageMatches Match(DescriptorSet first, Keypoint[] firstKeypoints, DescriptorSet second, Keypoint[] secondKeypoints, ImageMatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(firstKeypoints);
        ArgumentNullException.ThrowIfNull(secondKeypoints);
        RequireAll(first, firstKeypoints, "first");
        DescriptorMatch[] matches = Match(first, second, options, secondKeypoints);
        Point2d[] from = Array.ConvertAll(matches, match => new Point2d(firstKeypoints[match.Query].X, firstKeypoints[match.Query].Y));
        Point2d[] to = Array.ConvertAll(matches, match => new Point2d(secondKeypoints[match.Target].X, secondKeypoints[match.Target].Y));
        (MatchGeometry geometry, double[]? matrix, bool[] verified) = GeometricVerification.Verify(from, to, options.Tolerance);
        return new ImageMatches(firstKeypoints, secondKeypoints, matches, verified, geometry, matrix);
    }

    // The distance of the first neighbour behind the matched ones that the match has to be better than.
    private static float NextDistance(DescriptorSet first, DescriptorSet second, int query, ReadOnlySpan<DescriptorNeighbor> near, int target,
        ImageMatchOptions options, IReadOnlyList<Keypoint>? places)
    {
        foreach (DescriptorNeighbor next in near[Math.Min(options.Neighbours, near.Length)..])
        {
            if (IsApart(next.Target))
            {
                return next.Distance;
            }
        }

        float least = float.PositiveInfinity;
        if (near.Length < second.Count && options.InconsistentDistance is not null)
        {
            var known = new HashSet<int>();
            foreach (DescriptorNeighbor neighbour in near)
            {
                known.Add(neighbour.Target);
            }

            for (int other = 0; other < second.Count; other++)
            {
                least = !known.Contains(other) && IsApart(other) ? Math.Min(least, first.Distance(query, second, other)) : least;
            }
        }

        return least;

        bool IsApart(int other)
        {
            if (options.InconsistentDistance is not { } apart)
            {
                return true;
            }

            double dx = places![other].X - places[target].X, dy = places[other].Y - places[target].Y;
            return (dx * dx) + (dy * dy) > apart * apart;
        }
    }

    private static bool IsAmong(ReadOnlySpan<DescriptorNeighbor> neighbours, int target)
    {
        foreach (DescriptorNeighbor neighbour in neighbours)
        {
            if (neighbour.Target == target)
            {
                return true;
            }
        }

        return false;
    }

    private static void RequireAll(DescriptorSet descriptors, IReadOnlyCollection<Keypoint>? keypoints, string which)
    {
        if (keypoints is not null && keypoints.Count != descriptors.Count)
        {
            throw new ArgumentException($"the {which} image has {keypoints.Count} keypoints and {descriptors.Count} descriptors");
        }
    }
}
