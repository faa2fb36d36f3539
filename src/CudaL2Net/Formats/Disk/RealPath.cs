namespace CudaL2Net.Formats;

/// <summary>Tells whether two paths lead to one place.</summary>
internal static class RealPath
{
    // What Linux follows.
    private const int MostLinks = 40;

    private static readonly StringComparison Letters = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS()
        ? StringComparison.OrdinalIgnoreCase
        : StringComparison.Ordinal;

    /// <summary>The full path without symbolic links and without a separator at its end. What does not exist keeps its name; in a loop of links the last one stays.</summary>
    public static string Of(string path)
    {
        string full = Path.GetFullPath(path), done = Path.GetPathRoot(full)!;
        var rest = new Stack<string>(Parts(full[done.Length..]));
        for (int links = 0; rest.TryPop(out string? part);)
        {
            string next = part == ".." ? Path.GetDirectoryName(done) ?? done : Path.Combine(done, part);
            if (part == ".." || links == MostLinks || LinkTarget(next) is not { } target)
            {
                done = next;
                continue;
            }

            links++;
            if (Path.IsPathRooted(target))
            {
                done = Path.GetPathRoot(Path.GetFullPath(target))!;
                target = target[Path.GetPathRoot(target)!.Length..];
            }

            foreach (string step in Parts(target))
            {
                rest.Push(step);
            }
        }

        return done;
    }

    /// <summary>Whether two paths lead to one file or folder, or would if it existed: by <c>./</c>, links of both kinds, or letters' case where that does not count.</summary>
    /// <remarks>Hard links, and folders mounted twice, are recognised on Linux.</remarks>
    public static bool AreSame(string a, string b) =>
        string.Equals(Of(a), Of(b), Letters) || (FileStatus.Of(a) is { } first && FileStatus.Of(b) is { } second && first.Identity == second.Identity);

    /// <summary>Whether a path leads to a file that is there; .NET takes a link to nothing for a file.</summary>
    public static bool LeadsToFile(string path)
    {
        string real = Of(path);
        return File.Exists(real) && LinkTarget(real) is null;
    }

    /// <summary>Whether a path leads into a folder, at any depth, or to the folder itself.</summary>
    public static bool IsWithin(string path, string folder)
    {
        for (string? at = Of(path); at is not null; at = Path.GetDirectoryName(at))
        {
            if (AreSame(at, folder))
            {
                return true;
            }
        }

        return false;
    }

    // The last part first, as a stack takes them.
    private static IEnumerable<string> Parts(string path) => path
        .Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries)
        .Where(part => part != ".")
        .Reverse();

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
