namespace CudaL2Net.Formats;

/// <summary>Lists folders for all that reads them, always in the same order.</summary>
/// <remarks>
/// Names that start with a point are passed over: <c>._a.png</c> and <c>.DS_Store</c>, which macOS leaves beside files, and all that is hidden. Links are
/// followed, and every folder is entered once: a link to a parent, a loop, or a second link to one folder adds nothing.
/// </remarks>
internal static class FolderWalk
{
    // Where a file system keeps what it has found damaged, in the root of many disks.
    private const string SystemsOwn = "lost+found";

    private static readonly string[] Sidecars = ["Thumbs.db", "desktop.ini", "__MACOSX"];

    /// <summary>The files in a folder with wanted names, for readers that go by names: a link is a file of its own.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="wanted">Tells by its name whether a file is wanted.</param>
    /// <exception cref="IOException">The folder does not exist or cannot be read; or a wanted file is a link that leads nowhere.</exception>
    public static IReadOnlyList<string> Files(string folder, Func<string, bool> wanted)
    {
        var files = new List<string>();
        foreach (string file in Entries(folder).Where(path => !Directory.Exists(path) && wanted(Path.GetFileName(path))))
        {
            files.Add(RealPath.LeadsToFile(file) ? file : throw new FileNotFoundException($"{file} is a link that leads nowhere. Mend it or remove it.", file));
        }

        return files;
    }

    /// <summary>The folders in a folder that hold what is wanted.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="wanted">Looks into a folder.</param>
    /// <exception cref="IOException">The folder, or one in it, does not exist or cannot be read.</exception>
    public static IReadOnlyList<string> Folders(string folder, Func<string, bool> wanted)
    {
        var folders = new List<string>();
        foreach (string inside in Once([.. Entries(folder).Where(Directory.Exists)]))
        {
            if (Path.GetFileName(inside) != SystemsOwn && !RealPath.IsWithin(folder, inside))
            {
                _ = Entries(inside);
                folders.Add(inside);
            }
        }

        return [.. folders.Where(wanted)];
    }

    /// <summary>The files with wanted names in a folder and in all folders below it, each once, however many links lead to it.</summary>
    /// <param name="folder">The folder, which must be readable.</param>
    /// <param name="wanted">Tells by its name whether a file is wanted.</param>
    /// <returns>The files, by their paths; and a sentence about each folder that could not be read and each wanted file that is a link to nothing.</returns>
    /// <exception cref="IOException">The folder does not exist or cannot be read.</exception>
    public static (IReadOnlyList<string> Files, IReadOnlyList<string> Notes) Tree(string folder, Func<string, bool> wanted)
    {
        var files = new List<string>();
        var notes = new List<string>();
        var entered = new FolderSet();
        entered.Add(folder);

        // Folders first, then what links lead to: a file that is reached both ways keeps the path without a link.
        var links = new Queue<string>();
        Enter(folder, Entries(folder));
        while (links.TryDequeue(out string? link))
        {
            if (entered.Add(link))
            {
                TryEnter(link);
            }
        }

        return (Once(files), notes);

        void Enter(string at, string[] entries)
        {
            foreach (string path in entries)
            {
                if (!Directory.Exists(path))
                {
                    Take(path);
                }
                else if (new DirectoryInfo(path).LinkTarget is not null)
                {
                    links.Enqueue(path);
                }
                else if (entered.Add(path))
                {
                    TryEnter(path);
                }
            }
        }

        void Take(string path)
        {
            if (!wanted(Path.GetFileName(path)))
            {
                return;
            }

            if (RealPath.LeadsToFile(path))
            {
                files.Add(path);
            }
            else
            {
                notes.Add($"passed over {path}: a link that leads nowhere");
            }
        }

        void TryEnter(string path)
        {
            try
            {
                Enter(path, Entries(path));
            }
            catch (IOException error)
            {
                notes.Add($"passed over {error.Message}");
            }
        }
    }

    /// <summary>Whether a folder holds nothing but what systems leave in folders by themselves.</summary>
    public static bool IsEmpty(string folder) => Entries(folder).Length == 0;

    /// <summary>Whether a file or folder of this name is one that systems leave by themselves, or a hidden one.</summary>
    public static bool IsSidecar(string name) => name.StartsWith('.') || Sidecars.Contains(name, StringComparer.OrdinalIgnoreCase);

    private static string[] Entries(string folder)
    {
        try
        {
            return [.. Directory.GetFileSystemEntries(folder).Where(path => !IsSidecar(Path.GetFileName(path))).Order(StringComparer.Ordinal)];
        }
        catch (DirectoryNotFoundException error)
        {
            throw new DirectoryNotFoundException($"{folder} does not exist or is no folder", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException($"the folder {folder} cannot be read: you have no right to list it", error);
        }
    }

    // By path; of several links to one place, what is no link itself stays, else the first one.
    private static string[] Once(IReadOnlyList<string> paths)
    {
        var kept = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            string real = RealPath.Of(path);
            if (!kept.TryGetValue(real, out string? before) || (IsReached(before) && !IsReached(path)))
            {
                kept[real] = path;
            }

            bool IsReached(string way) => Path.GetFileName(way) != Path.GetFileName(real);
        }

        return [.. kept.Values.Order(StringComparer.Ordinal)];
    }

    // Folders that were entered, by number where the system has numbers, for one folder may be mounted twice.
    private sealed class FolderSet
    {
        private readonly HashSet<object> known = [];

        public bool Add(string folder) => known.Add(FileStatus.Of(folder) is { } status ? status.Identity : RealPath.Of(folder));
    }
}
