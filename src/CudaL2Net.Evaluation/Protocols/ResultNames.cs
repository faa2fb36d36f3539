namespace CudaL2Net.Evaluation.Protocols;

/// <summary>Names that results are told apart by.</summary>
internal static class ResultNames
{
    /// <summary>Checks that there is a name and that none occurs twice.</summary>
    /// <param name="names">The names.</param>
    /// <param name="what">What has them: "method".</param>
    /// <exception cref="ArgumentException">There is none, or two are the same.</exception>
    public static void RequireDistinct(IEnumerable<string> names, string what)
    {
        string[] all = [.. names];
        if (all.Length == 0)
        {
            throw new ArgumentException($"an evaluation needs at least one {what}");
        }

        if (all.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"two {what}s have the name '{twice.Key}'; results are told apart by name");
        }
    }
}
