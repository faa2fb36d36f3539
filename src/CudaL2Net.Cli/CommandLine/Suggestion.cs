namespace CudaL2Net.Cli.CommandLine;

/// <summary>Finds what a mistyped word may have meant.</summary>
internal static class Suggestion
{
    /// <summary>"; did you mean 'x'?" or nothing.</summary>
    public static string For(string word, IEnumerable<string> known)
    {
        string? nearest = Nearest(word, known);
        return nearest is null ? string.Empty : $"; did you mean '{nearest}'?";
    }

    /// <summary>The known word with the fewest edits, if these are at most half of the word's letters; else null.</summary>
    /// <remarks>Dashes before a word, as options have them, are no letters.</remarks>
    public static string? Nearest(string word, IEnumerable<string> known) => known
        .Select(candidate => (candidate, edits: Edits(word.ToLowerInvariant(), candidate.ToLowerInvariant())))
        .Where(pair => pair.edits * 2 <= Math.Max(word.TrimStart('-').Length, 3))
        .OrderBy(pair => pair.edits)
        .Select(pair => pair.candidate)
        .FirstOrDefault();

    // Levenshtein's distance.
    private static int Edits(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
