namespace CudaL2Net.Formats;

/// <summary>Folders that commands write into.</summary>
internal static class WritableFolder
{
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
