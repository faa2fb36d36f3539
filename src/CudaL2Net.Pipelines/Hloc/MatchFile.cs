namespace CudaL2Net.Pipelines.Hloc;

/// <summary>A file of matches as hloc writes it (<see cref="MatchRun"/>), also of its older versions, with the pair's names in one.</summary>
internal sealed class MatchFile : IDisposable
{
    private readonly string path;
    private readonly HdfReader reader;

    private MatchFile(string path, HdfReader reader, IReadOnlyList<string> groups)
    {
        this.path = path;
        this.reader = reader;
        Groups = groups;
    }

    /// <summary>The groups of the pairs.</summary>
    public IReadOnlyList<string> Groups { get; }

    /// <summary>The name of an image in this file.</summary>
    public static string Dashed(string name) => name.Replace('/', '-');

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or has no pairs.</exception>
    public static MatchFile Open(string path)
    {
        HdfReader reader = HdfReader.Open(path);
        try
        {
            IReadOnlyList<string> groups = reader.GroupsWith("matches0");
            return groups.Count > 0 ? new MatchFile(path, reader, groups) : throw new InvalidDataException($"{path} has no pairs with matches0");
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The images of a group's pair.</summary>
    /// <param name="group">One of <see cref="Groups"/>.</param>
    /// <param name="numbers">The images' numbers by their names with dashes.</param>
    /// <exception cref="InvalidDataException">There are no such images.</exception>
    public (long First, long Second) PairOf(string group, IReadOnlyDictionary<string, long> numbers)
    {
        // NAME1/NAME2; older files have NAME1_NAME2, where names may have underscores of their own.
        for (int i = group.IndexOfAny(['/', '_']); i >= 0; i = group.IndexOfAny(['/', '_'], i + 1))
        {
            if (numbers.TryGetValue(group[..i], out long first) && numbers.TryGetValue(group[(i + 1)..], out long second))
            {
                return (first, second);
            }
        }

        throw new InvalidDataException($"{path}: the pair {group} is not of two images of the features");
    }

    /// <summary>The matches of a group.</summary>
    /// <param name="group">One of <see cref="Groups"/>.</param>
    /// <param name="first">Keypoints of the pair's first image.</param>
    /// <param name="second">Keypoints of its second one.</param>
    /// <returns>[n][2]: keypoints of the first image, and of the second.</returns>
    /// <exception cref="InvalidDataException">They are damaged, or of other keypoints.</exception>
    public uint[] Read(string group, int first, int second)
    {
        int[] targets = reader.ReadIntegers($"{group}/matches0");
        return targets.Length == first && targets.All(target => target >= -1 && target < second)
            ? [.. targets.SelectMany((target, i) => target < 0 ? (uint[])[] : [(uint)i, (uint)target])]
            : throw new InvalidDataException($"{path}: the pair {group} has {targets.Length} entries up to {targets.DefaultIfEmpty(-1).Max()}, "
                + $"and its images have {first} and {second} keypoints: these matches are of other features");
    }

    /// <inheritdoc/>
    public void Dispose() => reader.Dispose();
}
