using System.Text.RegularExpressions;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Imaging.Sequences;

/// <summary>Images of one scene in a folder, with the homographies that lead from the first to each other one.</summary>
public sealed partial class ImageSequence
{
    private ImageSequence(string name, string reference, SequenceImage[] others)
    {
        Name = name;
        Reference = reference;
        Others = others;
    }

    /// <summary>The folder's name.</summary>
    public string Name { get; }

    /// <summary>The file of the first image.</summary>
    public string Reference { get; }

    /// <summary>The other images, by rising number.</summary>
    public IReadOnlyList<SequenceImage> Others { get; }

    /// <summary>
    /// Opens a folder with <c>img1.ppm</c>, <c>img2.ppm</c>, <c>H1to2p</c> (Oxford) or <c>1.ppm</c>, <c>2.ppm</c>, <c>H_1_2</c> (HPatches), and so on.
    /// </summary>
    /// <param name="folder">The folder; the images may end in ppm, pgm, png, jpg, jpeg or bmp.</param>
    /// <exception cref="IOException">The folder does not exist or cannot be read.</exception>
    /// <exception cref="InvalidDataException">It holds no sequence, or a homography is missing or wrong; the message names the file.</exception>
    public static ImageSequence Load(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        string[] files = ListFiles(folder);
        if (Numbered(files, OxfordName()) is { Count: > 0 } oxford)
        {
            return Assemble(folder, oxford, k => $"H1to{k}p");
        }

        if (Numbered(files, HPatchesName()) is { Count: > 0 } hpatches)
        {
            return Assemble(folder, hpatches, k => $"H_1_{k}");
        }

        string found = FolderWalk.IsEmpty(folder) ? "it is empty" : "none of its files has such a name";
        throw new InvalidDataException($"{folder} is no image sequence: expected img1.ppm, img2.ppm, H1to2p, ... or 1.ppm, 2.ppm, H_1_2, ..., but {found}");
    }

    /// <summary>Opens folders, each a sequence or a folder of sequences.</summary>
    /// <param name="folders">The folders.</param>
    /// <returns>The sequences in the order of the folders, those of one folder by name; one that is named twice, by whatever path, is there once.</returns>
    /// <exception cref="IOException">A folder does not exist or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A folder holds no sequence, or a homography is missing or wrong; the message names the file.</exception>
    public static IReadOnlyList<ImageSequence> LoadAll(IEnumerable<string> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        var sequences = new List<ImageSequence>();
        var found = new List<string>();
        foreach (string folder in folders)
        {
            string[] inside = IsSequence(folder) ? [] : [.. FolderWalk.Folders(folder, IsSequence)];
            foreach (string sequence in inside.Length == 0 ? [folder] : inside)
            {
                if (!found.Any(before => RealPath.AreSame(before, sequence)))
                {
                    found.Add(sequence);
                    sequences.Add(Load(sequence));
                }
            }
        }

        return sequences;
    }

    private static bool IsSequence(string folder) => ListFiles(folder).Length > 0;

    private static string[] ListFiles(string folder) => [.. FolderWalk.Files(folder, name => OxfordName().IsMatch(name) || HPatchesName().IsMatch(name))];

    private static SortedDictionary<int, string> Numbered(string[] files, Regex names)
    {
        var images = new SortedDictionary<int, string>();
        foreach (string file in files)
        {
            Match match = names.Match(Path.GetFileName(file));
            if (match.Success && !images.TryAdd(int.Parse(match.Groups["number"].ValueSpan), file))
            {
                throw new InvalidDataException($"{file} and {images[int.Parse(match.Groups["number"].ValueSpan)]} have the same number; remove one of them");
            }
        }

        return images;
    }

    private static ImageSequence Assemble(string folder, SortedDictionary<int, string> images, Func<int, string> homographyName)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        if (!images.Remove(1, out string? reference))
        {
            throw new InvalidDataException($"{folder} has {Path.GetFileName(images.Values.First())}, but no image 1, to which the homographies refer");
        }

        if (images.Count == 0)
        {
            throw new InvalidDataException($"{folder} has one image only, {Path.GetFileName(reference)}; a sequence has at least two");
        }

        var others = new List<SequenceImage>();
        foreach ((int number, string path) in images)
        {
            string homography = Path.Combine(folder, homographyName(number));
            if (!File.Exists(homography))
            {
                throw new InvalidDataException($"{path} has no homography: expected the file {homography}");
            }

            others.Add(new SequenceImage(number, path, Homography.Read(homography)));
        }

        return new ImageSequence(name, reference, [.. others]);
    }

    [GeneratedRegex(@"^img(?<number>[1-9][0-9]{0,3})\.(ppm|pgm|png|jpg|jpeg|bmp)$", RegexOptions.IgnoreCase)]
    private static partial Regex OxfordName();

    [GeneratedRegex(@"^(?<number>[1-9][0-9]{0,3})\.(ppm|pgm|png|jpg|jpeg|bmp)$", RegexOptions.IgnoreCase)]
    private static partial Regex HPatchesName();
}

/// <summary>An image of a sequence other than the first.</summary>
/// <param name="Number">Its number, from 2 on.</param>
/// <param name="Path">Its file.</param>
/// <param name="FromReference">Takes pixels of the first image to pixels of this one.</param>
public sealed record SequenceImage(int Number, string Path, Homography FromReference);
