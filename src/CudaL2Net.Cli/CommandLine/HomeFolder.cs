using System.Text.RegularExpressions;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>The <c>~</c> of paths, which shells leave alone behind <c>KIND:</c> and <c>--option=</c>.</summary>
internal static partial class HomeFolder
{
    /// <summary>A path, or KIND:PATH, with the home folder in place of a <c>~</c> that stands alone at the path's start.</summary>
    public static string Expand(string text)
    {
        Match match = Home().Match(text);
        return match.Success
            ? match.Groups["kind"].Value + Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + text[match.Length..]
            : text;
    }

    [GeneratedRegex(@"^(?<kind>[A-Za-z]+:)?~(?=[/\\]|$)")]
    private static partial Regex Home();
}
