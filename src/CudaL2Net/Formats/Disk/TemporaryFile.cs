namespace CudaL2Net.Formats;

/// <summary>Names of files and folders that are being written: <c>NAME.RANDOM.tmp</c> beside the place that they get in the end.</summary>
/// <remarks>Nobody can guess the name and put a link there, and whoever makes the file makes it new.</remarks>
internal static class TemporaryFile
{
    private const string Ending = ".tmp";
    private const int RandomLetters = 11;

    // File systems allow 255 bytes per name.
    private const int MostLettersOfName = 40;

    /// <summary>A new name beside a place.</summary>
    public static string NameFor(string path) => $"{Stem(path)}{Path.GetRandomFileName().Replace(".", string.Empty)}{Ending}";

    /// <summary>Removes what killed processes left of the files that were to get a place. One that is being written is locked, and stays.</summary>
    public static void RemoveLeft(string path)
    {
        string stem = Stem(path);
        if (Path.GetDirectoryName(stem) is not { Length: > 0 } folder || !Directory.Exists(folder))
        {
            return;
        }

        string[] left;
        try
        {
            left = [.. Directory.EnumerateFiles(folder, "*" + Ending).Where(file => IsOneOf(stem, file))];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A folder may be one to write to, but not to list.
            return;
        }

        foreach (string file in left.Where(file => !IsInUse(file)))
        {
            Remove(file);
        }
    }

    /// <summary>Removes what killed processes left of a folder that was to appear whole. Only for who holds the folder (<see cref="FolderLock.TakeBeside"/>).</summary>
    public static void RemoveLeftFolders(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), stem = Stem(full);
        // A name that is cut short may be that of another folder, too.
        if (Path.GetFileName(full).Length > MostLettersOfName || Path.GetDirectoryName(full) is not { } parent || !Directory.Exists(parent))
        {
            return;
        }

        try
        {
            foreach (string left in Directory.GetDirectories(parent, "*" + Ending).Where(left => IsOneOf(stem, left) && new DirectoryInfo(left).LinkTarget is null))
            {
                Directory.Delete(left, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It is only in the way of the disk's space.
        }
    }

    /// <summary>Removes a file if it can be removed.</summary>
    public static void Remove(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The failure that led here, if there is one, is the one to report.
        }
    }

    private static string Stem(string path)
    {
        string full = Path.GetFullPath(path), name = Path.GetFileName(full);
        return Path.Combine(Path.GetDirectoryName(full) ?? string.Empty, name.Length > MostLettersOfName ? name[..MostLettersOfName] : name) + ".";
    }

    private static bool IsOneOf(string stem, string file) =>
        file.Length == stem.Length + RandomLetters + Ending.Length
        && file.StartsWith(stem, StringComparison.Ordinal)
        && file.AsSpan(stem.Length, RandomLetters).IndexOfAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789") < 0;

    private static bool IsInUse(string file)
    {
        try
        {
            if (new FileInfo(file).LinkTarget is not null)
            {
                return true;
            }

            new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            return false;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }
}
