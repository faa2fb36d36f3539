using System.Runtime.InteropServices;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>How the images of a database are matched.</summary>
/// <param name="Match">Mutual and ratio test.</param>
/// <param name="Tolerance">The largest error of a verified match in pixels; null to leave matches unverified.</param>
/// <param name="Force">Whether matches that the database has already are replaced.</param>
internal sealed record ColmapMatchOptions(MatchOptions Match, double? Tolerance, bool Force)
{
    /// <summary>What decides about matches, in words.</summary>
    public string MatchSettings => FormattableString.Invariant($"{(Match.Mutual ? "mutual, " : string.Empty)}ratio {Match.Ratio}");

    /// <summary>What decides about geometries, in words.</summary>
    public string VerifySettings => FormattableString.Invariant($"{MatchSettings}, tolerance {Tolerance}");
}

/// <summary>What was done.</summary>
/// <param name="Pairs">Pairs matched or verified now.</param>
/// <param name="Before">Pairs that were done before.</param>
/// <param name="Matches">Matches of the pairs done now.</param>
/// <param name="Verified">Of these, the ones that agree with their pair's geometry.</param>
/// <param name="VerifiedPairs">Pairs whose matches agree with a geometry.</param>
/// <param name="Undescribed">Images that have no descriptors of this tool.</param>
internal sealed record ColmapMatchReport(long Pairs, long Before, long Matches, long Verified, long VerifiedPairs, int Undescribed);

/// <summary>Matches the images of a database. What a stopped run wrote is not done again.</summary>
/// <param name="database">The database.</param>
/// <param name="search">Finds nearest descriptors.</param>
internal sealed class ColmapMatching(ColmapDatabase database, DescriptorSearch search)
{
    /// <summary>The names of the steps in the database.</summary>
    public const string MatchStep = "match", VerifyStep = "verify";

    private const int Ahead = 3, PairsPerTransaction = 32;
    private const long CacheBytes = 512L << 20;

    /// <summary>Matches pairs of images.</summary>
    /// <param name="pairs">What to match with what, as <see cref="ImagePairs.Read"/> takes it.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how many pairs are done, of how many.</param>
    /// <param name="cancellation">Ends it; what is done is in the database.</param>
    /// <exception cref="OtherSettingsException">No image is described, or the database has other matches and they are not to be replaced.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ColmapMatchReport Run(string pairs, ColmapMatchOptions options, IProgress<(long Done, long Total)> progress, CancellationToken cancellation)
    {
        IReadOnlyList<ColmapImage> all = database.Images();
        HashSet<long> described = database.Ids("cudal2net_descriptors");
        ColmapImage[] images = [.. all.Where(image => described.Contains(image.Id))];
        if (images.Length == 0)
        {
            throw new OtherSettingsException("the database has no descriptors of this tool; `cudal2net colmap extract` makes them (with --keep-keypoints for "
                + "the keypoints that are there)");
        }

        ImagePairs asked = ImagePairs.Read(pairs, [.. images.Select(image => image.Name)]);
        Prepare(options);
        HashSet<long> matched = database.Ids("matches"), verified = database.Ids("two_view_geometries");
        var cache = new BoundedCache<long, Described>(CacheBytes, Load, one => one.Bytes);
        long done = 0, before = 0, matches = 0, inliers = 0, good = 0;
        var waiting = new List<Pair>();
        try
        {
            foreach (Pair pair in LookAhead.Run(asked.Pairs.Select(Start).OfType<Pair>(), Ahead, pair => Match(pair, options), cancellation))
            {
                waiting.Add(pair);
                matches += pair.Matches!.Length / 2;
                inliers += (pair.Geometry?.Inliers.Length ?? 0) / 2;
                good += pair.Geometry is { Inliers.Length: > 0 } ? 1 : 0;
                if (waiting.Count == PairsPerTransaction)
                {
                    Write(waiting);
                }

                progress.Report((++done + before, asked.Count));
            }
        }
        finally
        {
            // Also where it was cancelled.
            Write(waiting);
        }

        return new ColmapMatchReport(done, before, matches, inliers, good, all.Count - images.Length);

        // Null where there is nothing to do.
        Pair? Start((int First, int Second) numbers)
        {
            (ColmapImage a, ColmapImage b) = (images[numbers.First], images[numbers.Second]);
            (a, b) = a.Id < b.Id ? (a, b) : (b, a);
            long id = ColmapDatabase.PairId(a.Id, b.Id);
            bool isMatched = matched.Contains(id);
            if (isMatched && (options.Tolerance is null || verified.Contains(id)))
            {
                before++;
                return null;
            }

            return new Pair(id, cache.Get(a.Id), cache.Get(b.Id), isMatched ? database.Matches(id) : null, null);
        }
    }

    private void Prepare(ColmapMatchOptions options)
    {
        (string Step, string Table, string Settings)[] steps = [(MatchStep, "matches", options.MatchSettings), (VerifyStep, "two_view_geometries", options.VerifySettings)];
        steps = options.Tolerance is null ? steps[..1] : steps;
        foreach ((string step, string table, string settings) in steps)
        {
            string? before = database.Settings(step);
            int there = before == settings || options.Force ? 0 : database.Ids(table).Count;
            if (there > 0)
            {
                throw new OtherSettingsException(before is null
                    ? $"the database has {there} pairs in {table} from another program; --force replaces them"
                    : $"{there} pairs were done with other settings ({before}; now {settings}); --force does all anew");
            }
        }

        database.Transact(() =>
        {
            if (options.Force)
            {
                database.Clear("matches");
                database.Clear("two_view_geometries");
            }

            foreach ((string step, _, string settings) in steps)
            {
                database.SetSettings(step, settings);
            }
        });
    }

    private Described Load(long image)
    {
        ColmapKeypoints keypoints = database.Keypoints(image) ?? new ColmapKeypoints(0, 2, []);
        DescriptorSet descriptors = database.Descriptors(image)!;
        if (descriptors.Count != keypoints.Rows)
        {
            throw new InvalidDataException($"image {image} of the database has {keypoints.Rows} keypoints and {descriptors.Count} descriptors: its keypoints were changed "
                + "after they had been described; run `cudal2net colmap extract` again with --keep-keypoints --force");
        }

        return new Described(keypoints.Places(), descriptors);
    }

    private Pair Match(Pair pair, ColmapMatchOptions options)
    {
        uint[] matches = pair.Matches
            ?? [.. search.Match(pair.First.Descriptors, pair.Second.Descriptors, options.Match).SelectMany(match => new[] { (uint)match.Query, (uint)match.Target })];
        return pair with { Matches = matches, Geometry = options.Tolerance is { } tolerance ? ColmapVerification.Verify(pair.First.Places, pair.Second.Places, matches, tolerance) : null };
    }

    private void Write(List<Pair> pairs)
    {
        if (pairs.Count == 0)
        {
            return;
        }

        database.Transact(() =>
        {
            foreach (Pair pair in pairs)
            {
                database.SetMatches(pair.Id, pair.Matches!);
                if (pair.Geometry is { } geometry)
                {
                    database.SetGeometry(pair.Id, geometry);
                }
            }
        });
        pairs.Clear();
    }

    private sealed record Described(Point2d[] Places, DescriptorSet Descriptors)
    {
        public long Bytes => (Places.Length * (long)Marshal.SizeOf<Point2d>()) + ((Descriptors.Values?.LongLength ?? 0) * sizeof(float)) + (Descriptors.Bits?.LongLength ?? 0);
    }

    private sealed record Pair(long Id, Described First, Described Second, uint[]? Matches, ColmapGeometry? Geometry);
}
