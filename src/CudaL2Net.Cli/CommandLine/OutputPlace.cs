using CudaL2Net.Formats;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>A file or folder that a command will write.</summary>
/// <param name="Path">Where.</param>
/// <param name="Kind">What.</param>
internal sealed record OutputPlace(string Path, OutputKind Kind)
{
    /// <summary>A file in a folder that exists.</summary>
    public static OutputPlace File(string path) => new(path, OutputKind.File);

    /// <summary>A file whose folder is made if it does not exist.</summary>
    public static OutputPlace FileAndFolder(string path) => new(path, OutputKind.FileAndFolder);

    /// <summary>A folder in which named files are written, which are places of their own.</summary>
    public static OutputPlace Folder(string path) => new(path, OutputKind.Folder);

    /// <summary>A folder that is the command's with all that is in it.</summary>
    public static OutputPlace Tree(string path) => new(path, OutputKind.Tree);

    /// <summary>Throws if the place cannot be written.</summary>
    /// <exception cref="IOException">The message names the place, the reason and what to do.</exception>
    public void RequireWritable()
    {
        if (Kind is OutputKind.Folder or OutputKind.Tree)
        {
            WritableFolder.Require(Path);
            return;
        }

        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path)) ?? Path;
        if (Kind == OutputKind.FileAndFolder && !Directory.Exists(folder))
        {
            try
            {
                WritableFolder.Require(folder);
            }
            catch (IOException error)
            {
                throw new IOException($"{Path} cannot be written: {error.Message}", error) { HResult = error.HResult };
            }

            return;
        }

        AtomicFile.RequireWritable(Path);
    }
}

/// <summary>What a command writes at a place.</summary>
internal enum OutputKind
{
    /// <summary>A file; its folder must exist.</summary>
    File,

    /// <summary>A file; its folder is made.</summary>
    FileAndFolder,

    /// <summary>A folder with some files.</summary>
    Folder,

    /// <summary>A folder with all that is in it.</summary>
    Tree,
}
