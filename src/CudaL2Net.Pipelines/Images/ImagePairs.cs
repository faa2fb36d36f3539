using CudaL2Net.Formats;

namespace CudaL2Net.Pipelines.Images;

/// <summary>Which images are matched with which: numbers of images, each pair once, the smaller number first.</summary>
/// <param name="Pairs">The pairs, in an order in which neighbours share images.</param>
/// <param name="Count">How many there are.</param>
internal sealed record ImagePairs(IEnumerable<(int First, int Second)> Pairs, long Count)
{
    /// <summary>The words and forms that <see cref="Read"/> takes.</summary>
    public const string Forms = "FILE|exhaustive|sequential:N";

    // All pairs of two blocks of so many images are done before the next blocks: their descriptors are loaded once.
    private const int Block = 32;

    /// <summary>The pairs that a word asks for.</summary>
    /// <param name="text"><c>exhaustive</c>, <c>sequential:N</c> (each image with the N after it, by name), or a file with two names per line.</param>
    /// <param name="names">The images' names; they differ.</param>
    /// <exception cref="ArgumentException">The number behind <c>sequential:</c> is none.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A line does not name two of the images; the message names file, line and name.</exception>
    public static ImagePairs Read(string text, IReadOnlyList<string> names)
    {
        if (text == "exhaustive")
        {
            return new ImagePairs(Exhaustive(names.Count), (long)names.Count * (names.Count - 1) / 2);
        }

        const string Sequential = "sequential:";
        if (!text.StartsWith(Sequential, StringComparison.Ordinal))
        {
            return Of(ReadFile(text, names));
        }

        return NumberText.TryParse(text.AsSpan(Sequential.Length), out int following) && following >= 1
            ? Of(Following(names, following))
            : throw new ArgumentException($"--pairs {text}: behind '{Sequential}' stands a whole number of at least 1, as in sequential:10");
    }

    /// <summary>Whether a text names a file with pairs.</summary>
    public static bool IsFile(string text) => text != "exhaustive" && !text.StartsWith("sequential:", StringComparison.Ordinal);

    private static ImagePairs Of(IEnumerable<(int, int)> pairs)
    {
        var known = new HashSet<(int, int)>();
        var list = new List<(int, int)>();
        foreach ((int a, int b) in pairs)
        {
            (int, int) pair = (Math.Min(a, b), Math.Max(a, b));
            if (a != b && known.Add(pair))
            {
                list.Add(pair);
            }
        }

        return new ImagePairs(list, list.Count);
    }

    private static IEnumerable<(int, int)> Exhaustive(int images)
    {
        for (int firsts = 0; firsts < images; firsts += Block)
        {
            for (int seconds = firsts; seconds < images; seconds += Block)
            {
                for (int i = firsts; i < Math.Min(firsts + Block, images); i++)
                {
                    for (int j = Math.Max(i + 1, seconds); j < Math.Min(seconds + Block, images); j++)
                    {
                        yield return (i, j);
                    }
                }
            }
        }
    }

    private static IEnumerable<(int, int)> Following(IReadOnlyList<string> names, int following)
    {
        int[] byName = [.. Enumerable.Range(0, names.Count).OrderBy(i => names[i], StringComparer.Ordinal)];
        for (int i = 0; i < byName.Length; i++)
        {
            for (int j = i + 1; j <= Math.Min((long)i + following, byName.Length - 1); j++)
            {
                yield return (byName[i], byName[j]);
            }
        }
    }

    private static IEnumerable<(int, int)> ReadFile(string path, IReadOnlyList<string> names)
    {
        Dictionary<string, int> numbers = Enumerable.Range(0, names.Count).ToDictionary(i => names[i], StringComparer.Ordinal);
        using var reader = new StreamReader(InputFile.Open(path));
        for (int number = 1; reader.ReadLine() is { } line; number++)
        {
            line = line.Trim();
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            yield return Split(line) ?? throw new InvalidDataException($"{path}, line {number}: {Reason(line)}");
        }

        // Names may have spaces: every space may be the one between them.
        (int, int)? Split(string line)
        {
            for (int i = line.IndexOfAny([' ', '\t']); i >= 0; i = line.IndexOfAny([' ', '\t'], i + 1))
            {
                if (numbers.TryGetValue(line[..i].TrimEnd(), out int a) && numbers.TryGetValue(line[i..].TrimStart(), out int b))
                {
                    return (a, b);
                }
            }

            return null;
        }

        string Reason(string line)
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            return words.Length < 2
                ? "expected the names of two images with a space between them"
                : words.FirstOrDefault(word => !numbers.ContainsKey(word)) is { } stranger
                    ? $"there is no image {stranger}; names are relative to the folder of the images, as in {names.FirstOrDefault()}"
                    : "expected the names of two images with a space between them";
        }
    }
}
