namespace CudaL2Net.Formats;

/// <summary>Opens files for reading with errors that say what to do.</summary>
internal static class InputFile
{
    /// <summary>Opens a file for sequential reading.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read: it is a folder, or access is denied.</exception>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"{path} cannot be read: it is a folder. Name a file in it.");
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"{path} does not exist", path, error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException($"{path} cannot be read: access is denied. Check the rights on the file and its folder.", error);
        }
    }

    /// <summary>All bytes of a file of up to 2 GB.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is larger.</exception>
    public static byte[] ReadAll(string path)
    {
        using FileStream stream = Open(path);
        if (stream.Length > Array.MaxLength)
        {
            throw new InvalidDataException($"{path} has {stream.Length} bytes, and files of this kind over 2 GB are not supported");
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
