namespace CudaL2Net.Formats;

/// <summary>Folders that commands write into.</summary>
internal static class WritableFolder
{
    /// <summary>Makes a folder, and those above it, where they are not there.</summary>
    /// <returns>The folders that were made, the innermost first.</returns>
    /// <exception cref="IOException">It cannot be made. The message names the folder, the reason and what to do.</exception>
    public static IReadOnlyList<string> Make(string folder)
    {
        var made = new List<string>();
        for (string? at = Path.GetFullPath(folder); at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            made.Add(at);
        }

        try
        {
            Directory.CreateDirectory(folder);
            return made;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            string reason = error is UnauthorizedAccessException ? "access is denied" : error.Message.TrimEnd('.');
            throw new IOException($"the folder {folder} cannot be made: {reason}. Choose another --out.", error) { HResult = error.HResult };
        }
    }

    /// <summary>Removes folders that are empty, in this order, up to the first that is not.</summary>
    public static void RemoveEmpty(IReadOnlyList<string> folders)
    {
        try
        {
            foreach (string folder in folders)
            {
                Directory.Delete(folder);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // There is something in it, or somebody else removed it.
        }
    }

    /// <summary>Throws if a folder cannot be made, or nothing can be written into it: to be asked before the work. Leaves nothing.</summary>
    /// <exception cref="IOException">The message names the folder, the reason and what to do.</exception>
    public static void Require(string folder)
    {
        string at = RealPath.Of(folder);
        while (!Directory.Exists(at) && !File.Exists(at) && Path.GetDirectoryName(at) is { Length: > 0 } parent)
        {
            at = parent;
        }

        if (File.Exists(at))
        {
            throw new IOException($"the folder {folder} cannot be made: {(RealPath.AreSame(at, folder) ? "there" : at)} is a file of that name. Choose another folder.");
        }

        try
        {
            AtomicFile.RequireWritable(Path.Combine(at, Path.GetRandomFileName()));
        }
        catch (IOException error)
        {
            // What was tried was a file, which nobody knows.
            Exception reason = error.InnerException ?? error;
            string text = reason is UnauthorizedAccessException ? "access is denied" : reason.Message.TrimEnd('.');
            throw new IOException($"the folder {folder} cannot be written: {text}. Check the rights, or choose another folder.", error) { HResult = error.HResult };
        }
    }
}
