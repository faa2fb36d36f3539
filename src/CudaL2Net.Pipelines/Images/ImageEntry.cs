using CudaL2Net.Formats;
using CudaL2Net.Imaging;

namespace CudaL2Net.Pipelines.Images;

/// <summary>An image of many.</summary>
/// <param name="Name">Its name, relative to the images' folder, with slashes.</param>
/// <param name="Path">Its file.</param>
internal sealed record ImageEntry(string Name, string Path)
{
    /// <summary>The images that a text names.</summary>
    /// <param name="text">A folder, with those below it; a list (.txt) with a file per line, relative to the list's folder; a pattern with * and ? in its last name;
    /// or one image.</param>
    /// <returns>The images; and a sentence about each thing that was passed over.</returns>
    /// <exception cref="IOException">The folder or list cannot be read, or there is none.</exception>
    /// <exception cref="InvalidDataException">There are no images, or a line names one twice.</exception>
    public static (IReadOnlyList<ImageEntry> Images, IReadOnlyList<string> Notes) Find(string text)
    {
        if (Directory.Exists(text))
        {
            return InFolder(text);
        }

        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(text)) ?? text;
        if (!File.Exists(text) && System.IO.Path.GetFileName(text).IndexOfAny(['*', '?']) >= 0)
        {
            var matcher = System.IO.Path.GetFileName(text);
            ImageEntry[] matching = [.. FolderWalk.Files(folder, name => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(matcher, name))
                .Select(file => new ImageEntry(System.IO.Path.GetFileName(file), file))];
            return matching.Length > 0 ? (matching, []) : throw new InvalidDataException($"{text}: no file has such a name");
        }

        return text.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) ? (InList(text, folder), []) : ([new ImageEntry(System.IO.Path.GetFileName(text), text)], []);
    }

    /// <summary>The images in a folder and in those below it, by name.</summary>
    /// <returns>The images; and a sentence about each thing that was passed over.</returns>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="InvalidDataException">There are no images in it.</exception>
    public static (IReadOnlyList<ImageEntry> Images, IReadOnlyList<string> Notes) InFolder(string folder)
    {
        (IReadOnlyList<string> files, IReadOnlyList<string> notes) = FolderWalk.Tree(folder, ImageFile.HasImageName);
        if (files.Count == 0)
        {
            throw new InvalidDataException($"{folder} has no images, nor have the folders in it");
        }

        ImageEntry[] images = [.. files.Select(file => new ImageEntry(
            System.IO.Path.GetRelativePath(folder, file).Replace(System.IO.Path.DirectorySeparatorChar, '/'), file))];
        return ([.. images.OrderBy(image => image.Name, StringComparer.Ordinal)], notes);
    }

    private static ImageEntry[] InList(string list, string folder)
    {
        using var reader = new StreamReader(InputFile.Open(list));
        var images = new List<ImageEntry>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        for (int number = 1; reader.ReadLine() is { } line; number++)
        {
            string name = line.Trim().Replace('\\', '/');
            if (name.Length == 0 || name[0] == '#')
            {
                continue;
            }

            if (!known.Add(name))
            {
                throw new InvalidDataException($"{list}, line {number}: {name} stands there twice");
            }

            images.Add(new ImageEntry(name.TrimStart('/'), System.IO.Path.Combine(folder, name)));
        }

        return images.Count > 0 ? [.. images] : throw new InvalidDataException($"{list} names no images; a line is the name of one, relative to the list's folder");
    }
}
