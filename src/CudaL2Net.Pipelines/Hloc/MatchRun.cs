using CudaL2Net.Formats;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Images;
using PureHDF;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>What was done.</summary>
/// <param name="Pairs">Pairs in the file.</param>
/// <param name="Before">Of these, the ones that a stopped run matched.</param>
/// <param name="Matches">Matches in the file.</param>
internal sealed record MatchReport(long Pairs, long Before, long Matches);

/// <summary>
/// Matches the images of a file of features, and writes a file of matches as hloc does: a group per first image, its name with dashes for slashes; in it a group
/// per second image with <c>matches0</c> [n] (for each keypoint of the first image one of the second, or -1) and <c>matching_scores0</c> [n] (1 at distance 0).
/// </summary>
/// <param name="search">Finds nearest descriptors.</param>
internal sealed class MatchRun(DescriptorSearch search)
{
    private const int Ahead = 2, PairsPerPart = 128;
    private const long CacheBytes = 512L << 20;

    /// <summary>Matches images.</summary>
    /// <param name="features">The file of features.</param>
    /// <param name="pairs">What to match with what, as <see cref="ImagePairs.Read"/> takes it.</param>
    /// <param name="output">The file to write; an older one stays until it is whole.</param>
    /// <param name="options">Mutual and ratio test.</param>
    /// <param name="force">Whether what a stopped run left is thrown away.</param>
    /// <param name="progress">Is told how many pairs are done, of how many.</param>
    /// <param name="cancellation">Ends it; the next run goes on.</param>
    /// <exception cref="OtherSettingsException">A stopped run left parts of other settings.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public MatchReport Run(
        string features, string pairs, string output, MatchOptions options, bool force, IProgress<(long Done, long Total)> progress, CancellationToken cancellation)
    {
        using FeatureFile file = FeatureFile.Open(features);
        ImagePairs asked = ImagePairs.Read(pairs, file.Names);
        if (asked.Count == 0)
        {
            throw new InvalidDataException($"--pairs {pairs}: there is no pair of images to match");
        }

        var info = new FileInfo(features);
        string settings = FormattableString.Invariant(
            $"{(options.Mutual ? "mutual, " : string.Empty)}ratio {options.Ratio}, features of {info.Length} bytes of {info.LastWriteTimeUtc:yyyy-MM-dd HH:mm:ss}");
        using var parts = new Parts(output, settings, force);
        var cache = new BoundedCache<int, DescriptorSet>(CacheBytes, number => file.Read(file.Names[number]), SizeOf);
        var known = new List<(string Name, (int First, int Second)[] Pairs)>();
        int[] keypoints = new int[file.Names.Count];
        long done = 0, before = 0, matches = 0;
        foreach ((int First, int Second)[] block in asked.Pairs.Chunk(PairsPerPart))
        {
            string name = string.Join('\n', block.Select(pair => $"{file.Names[pair.First]} {file.Names[pair.Second]}"));
            known.Add((name, block));
            if (parts.Find(name) is { } part)
            {
                before += block.Length;
                for (int i = 0; i < block.Length; i++)
                {
                    int[] targets = part.Tensors[$"{i}/matches0"].ToArray<int>();
                    keypoints[block[i].First] = targets.Length;
                    matches += targets.Count(match => match >= 0);
                }
            }
            else
            {
                matches += Match(parts, name, block, keypoints, options, cache, cancellation);
            }

            done += block.Length;
            progress.Report((done, asked.Count));
        }

        Join(output, known, keypoints, file, parts);
        parts.Remove();
        return new MatchReport(done, before, matches);
    }

    private static long SizeOf(DescriptorSet descriptors) => ((descriptors.Values?.LongLength ?? 0) * sizeof(float)) + (descriptors.Bits?.LongLength ?? 0);

    // 1 at distance 0; the half at that of two vectors, or rows of bits, that have nothing to do with each other.
    private static float Score(float distance, DescriptorSet kind) =>
        kind.Bits is null ? 1 - (distance * distance / 4) : 1 - (distance / kind.Dimension);

    /// <summary>Matches a block of pairs into a part; says how many keypoints their first images have.</summary>
    private long Match(
        Parts parts, string name, (int First, int Second)[] block, int[] keypoints, MatchOptions options, BoundedCache<int, DescriptorSet> cache,
        CancellationToken cancellation)
    {
        var tensors = new Dictionary<string, SafetensorsTensor>();
        long found = 0;
        int number = 0;
        IEnumerable<(DescriptorSet First, DescriptorSet Second)> loaded = block.Select(pair => (cache.Get(pair.First), cache.Get(pair.Second)));
        foreach ((DescriptorSet first, DescriptorMatch[] matches) in LookAhead.Run(
            loaded, Ahead, pair => (pair.First, search.Match(pair.First, pair.Second, options)), cancellation))
        {
            int[] targets = new int[first.Count];
            float[] scores = new float[first.Count];
            Array.Fill(targets, -1);
            foreach (DescriptorMatch match in matches)
            {
                targets[match.Query] = match.Target;
                scores[match.Query] = Score(match.Distance, first);
            }

            keypoints[block[number].First] = first.Count;
            tensors[$"{number}/matches0"] = SafetensorsTensor.From<int>(targets, targets.Length);
            tensors[$"{number}/matching_scores0"] = SafetensorsTensor.From<float>(scores, scores.Length);
            found += matches.Length;
            number++;
        }

        parts.Write(name, tensors);
        return found;
    }

    private static void Join(string output, List<(string Name, (int First, int Second)[] Pairs)> known, int[] keypoints, FeatureFile features, Parts parts)
    {
        var file = new HdfWriter();
        Action<H5NativeWriter>[] writes = [.. known.Select(block =>
        {
            int[] counts = [.. block.Pairs.Select(pair => keypoints[pair.First])];
            string[] groups = [.. block.Pairs.Select(pair => $"{MatchFile.Dashed(features.Names[pair.First])}/{MatchFile.Dashed(features.Names[pair.Second])}")];
            H5Dataset<int[]>[] targets = [.. groups.Select((group, i) => file.Add<int[]>($"{group}/matches0", counts[i]))];
            H5Dataset<float[]>[] scores = [.. groups.Select((group, i) => file.Add<float[]>($"{group}/matching_scores0", counts[i]))];
            return (Action<H5NativeWriter>)(writer =>
            {
                SafetensorsFile part = parts.Find(block.Name) ?? throw new IOException("a part was changed or removed while this ran; run it again");
                for (int i = 0; i < counts.Length; i++)
                {
                    writer.Write(targets[i], part.ReadArray<int>($"{i}/matches0", counts[i]));
                    writer.Write(scores[i], part.ReadArray<float>($"{i}/matching_scores0", counts[i]));
                }
            });
        })];
        file.Write(output, writes);
    }
}
