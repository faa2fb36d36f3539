using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Data;

/// <summary>A pair of strips of W1BS.</summary>
/// <param name="Name">The file's name without its ending.</param>
/// <param name="First">The strip in folder 1.</param>
/// <param name="Second">The strip of the same name in folder 2: its row i shows what row i of the first one shows.</param>
public sealed record W1bsPair(string Name, string First, string Second)
{
    /// <summary>Reads both strips.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is no strip, or the two differ in size.</exception>
    public (PatchStrip First, PatchStrip Second) Read()
    {
        PatchStrip first = PatchStrip.Read(First), second = PatchStrip.Read(Second);
        return first.Side == second.Side && first.Count == second.Count && first.Count > 1 ? (first, second) : throw new InvalidDataException(
            $"{Second} has {second.Count} patches of {second.Side} x {second.Side}, {First} {first.Count} of {first.Side} x {first.Side}; "
                + "a pair has the same number, at least 2, of the same size");
    }
}

/// <summary>A subset of W1BS.</summary>
/// <param name="Name">A (appearance), G (geometry), L (illumination), S (sensor) or map2photo.</param>
/// <param name="Pairs">Its pairs of strips, by name.</param>
public sealed record W1bsSubset(string Name, IReadOnlyList<W1bsPair> Pairs);

/// <summary>
/// W1BS (Mishkin et al., WxBS, BMVC 2015): folders <c>SUBSET/1</c> and <c>SUBSET/2</c> with strips of square patches <c>PAIR.bmp</c>, the same names in both.
/// Other files there (images, keypoints, homographies) are not looked at.
/// </summary>
/// <param name="Folder">The folder that holds the subsets.</param>
/// <param name="Subsets">The subsets, by name.</param>
public sealed record W1bsDataset(string Folder, IReadOnlyList<W1bsSubset> Subsets)
{
    /// <summary>Finds the pairs.</summary>
    /// <param name="folder">The folder that holds the subsets, or the one with <c>data/W1BS</c> or <c>W1BS</c> in it, or one subset.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A strip has no partner.</exception>
    /// <exception cref="InvalidDataException">There are no subsets, or one has no strips.</exception>
    public static W1bsDataset Open(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder} does not exist. Name the folder of W1BS, with A/1, A/2, G/1 and so on.");
        }

        if (IsSubset(folder))
        {
            return new W1bsDataset(folder, [OpenSubset(folder)]);
        }

        foreach (string root in new[] { folder, Path.Combine(folder, "data", "W1BS"), Path.Combine(folder, "W1BS") }.Where(Directory.Exists))
        {
            string[] subsets = [.. FolderWalk.Folders(root, IsSubset)];
            if (subsets.Length > 0)
            {
                return new W1bsDataset(root, [.. subsets.Select(OpenSubset)]);
            }
        }

        throw new InvalidDataException($"{folder} has no W1BS data: expected strips of patches such as {Path.Combine(folder, "A", "1", "PAIR.bmp")}");
    }

    private static bool IsSubset(string folder) => Directory.Exists(Path.Combine(folder, "1")) || Directory.Exists(Path.Combine(folder, "2"));

    private static W1bsSubset OpenSubset(string folder)
    {
        SortedSet<string> first = Strips(folder, "1"), second = Strips(folder, "2");
        if (first.Count + second.Count == 0)
        {
            throw new InvalidDataException($"{folder} has no strips of patches (.bmp) in its folders 1 and 2");
        }

        string? alone = first.FirstOrDefault(name => !second.Contains(name)), missing = second.FirstOrDefault(name => !first.Contains(name));
        if (alone is not null || missing is not null)
        {
            (string there, string absent) = alone is not null ? ("1", "2") : ("2", "1");
            string path = Path.Combine(folder, absent, alone ?? missing!);
            throw new FileNotFoundException($"{path} is missing: {Path.Combine(folder, there, alone ?? missing!)} has no partner. Unpack the data again.", path);
        }

        return new W1bsSubset(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))),
            [.. first.Select(name => new W1bsPair(Path.GetFileNameWithoutExtension(name), Path.Combine(folder, "1", name), Path.Combine(folder, "2", name)))]);
    }

    private static SortedSet<string> Strips(string folder, string side)
    {
        string path = Path.Combine(folder, side);
        return Directory.Exists(path)
            ? new SortedSet<string>(FolderWalk.Files(path, name => name.EndsWith(".bmp", StringComparison.OrdinalIgnoreCase)).Select(file => Path.GetFileName(file)), StringComparer.Ordinal)
            : throw new DirectoryNotFoundException($"{path} does not exist; a subset has the folders 1 and 2. Unpack the data again.");
    }
}
