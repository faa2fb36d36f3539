using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Runs;

/// <summary>The words of <c>--method</c>, with commas between them; a file's name may have commas, too.</summary>
internal static class MethodWords
{
    /// <summary>Methods that stand alone.</summary>
    public static readonly string[] Plain = ["model", "binary", "untrained", "sift", "rootsift", "raw"];

    /// <summary>Methods that take a file.</summary>
    public static readonly string[] OfFile = ["model", "binary", "import", "onnx", "csv"];

    private const string Scale = "@scale=";

    /// <summary>A word without what it says behind its name: the side of a patch around a keypoint, in its diameters.</summary>
    /// <returns>The rest, and the text behind <c>@scale=</c>; null where the word has none.</returns>
    public static (string Method, string? Scale) CutScale(string word)
    {
        int at = word.LastIndexOf(Scale, StringComparison.OrdinalIgnoreCase);
        return at < 0 ? (word, null) : (word[..at], word[(at + Scale.Length)..]);
    }

    /// <summary>Cuts a text at its commas. Behind KIND: a file's name goes on over commas as far as there is such a file.</summary>
    public static IReadOnlyList<string> Split(string text)
    {
        string[] parts = text.Split(',');
        var words = new List<string>();
        for (int i = 0; i < parts.Length; i++)
        {
            string word = parts[i].Trim();
            if (word.Split(':', 2) is [var kind, _] && OfFile.Contains(kind.ToLowerInvariant()))
            {
                (word, i) = WithFile(parts, i);
            }

            words.Add(word);
        }

        return words;
    }

    // The longest name that is there; where none is, what stands before the comma.
    private static (string Word, int Last) WithFile(string[] parts, int first)
    {
        for (int last = parts.Length - 1; last >= first; last--)
        {
            string whole = string.Join(',', parts[first..(last + 1)]);
            foreach (string word in new[] { HomeFolder.Expand(whole.TrimStart()), HomeFolder.Expand(whole.Trim()) })
            {
                if (Path.Exists(CutScale(word.Split(':', 2)[1]).Method))
                {
                    return (word, last);
                }
            }
        }

        return (HomeFolder.Expand(parts[first].Trim()), first);
    }
}
