using CudaL2Net.Formats;
using CudaL2Net.Imaging;

namespace CudaL2Net.Pipelines.Images;

/// <summary>An image of many.</summary>
/// <param name="Name">Its name, relative to the images' folder, with slashes.</param>
/// <param name="Path">Its file.</param>
internal sealed record ImageEntry(string Name, string Path)
{
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
}
