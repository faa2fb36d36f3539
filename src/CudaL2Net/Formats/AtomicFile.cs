namespace CudaL2Net.Formats;

/// <summary>
/// A file that appears whole or not at all: written as <c>path.tmp</c> in the same folder, flushed to the disk, then renamed over <c>path</c>.
/// Until <see cref="Commit"/> has returned an older file of that name is untouched; without it the temporary file is removed by <see cref="Dispose"/>.
/// </summary>
internal sealed class AtomicFile : IDisposable
{
    private readonly string path;
    private readonly string temporaryPath;
    private FileStream? stream;

    private AtomicFile(string path)
    {
        this.path = path;
        temporaryPath = path + ".tmp";
        stream = new FileStream(temporaryPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
    }

    /// <summary>Where the content goes; seekable.</summary>
    /// <exception cref="ObjectDisposedException">After <see cref="Commit"/> or <see cref="Dispose"/>.</exception>
    public Stream Stream => stream ?? throw new ObjectDisposedException(path);

    /// <summary>Starts a file.</summary>
    /// <param name="path">Where it will be.</param>
    /// <exception cref="IOException">The temporary file cannot be made; the text names the file, the reason and what to do.</exception>
    public static AtomicFile Create(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (Directory.Exists(path))
        {
            throw new IOException($"{path} cannot be written: it is a folder. Name a file in it.");
        }

        try
        {
            return new AtomicFile(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Explain(path, error);
        }
    }

    /// <summary>Writes a whole file.</summary>
    /// <param name="path">Where it will be.</param>
    /// <param name="write">Writes the content, and only that: an <see cref="IOException"/> it throws is taken for a failure of this file.</param>
    /// <exception cref="IOException">The file cannot be written; the text names the file, the reason and what to do. An older file is untouched.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        using AtomicFile file = Create(path);
        try
        {
            write(file.Stream);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Explain(path, error);
        }

        file.Commit();
    }

    /// <summary>Flushes to the disk and gives the file its name.</summary>
    /// <exception cref="IOException">That failed; an older file is untouched.</exception>
    public void Commit()
    {
        var open = (FileStream)Stream;
        try
        {
            open.Flush(flushToDisk: true);
            open.Dispose();
            File.Move(temporaryPath, path, overwrite: true);
            stream = null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Explain(path, error);
        }
    }

    /// <summary>Removes the temporary file unless <see cref="Commit"/> was called.</summary>
    public void Dispose()
    {
        if (stream is null)
        {
            return;
        }

        try
        {
            stream.Dispose();
        }
        catch (IOException)
        {
            // A full disk makes the last flush fail; the content is thrown away all the same.
        }

        stream = null;
        try
        {
            File.Delete(temporaryPath);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one to report.
        }
    }

    /// <summary>An exception that names the file that could not be written, the reason and what to do.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">What the system reported.</param>
    internal static IOException Explain(string path, Exception error)
    {
        // Unix gives errno (28 ENOSPC, 30 EROFS, 122 EDQUOT), Windows the HRESULT of ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.
        (string reason, string advice) = error switch
        {
            _ when error.HResult is 28 or 122 or unchecked((int)0x80070070) or unchecked((int)0x80070027) =>
                ("the disk is full", "Free some space or write elsewhere."),
            _ when error.HResult is 30 => ("the file system is read-only", "Write elsewhere."),
            UnauthorizedAccessException => ("access is denied", "Check the rights on the file and its folder, or write elsewhere."),
            DirectoryNotFoundException => ("its folder does not exist", "Create the folder or write elsewhere."),
            PathTooLongException => ("the path is too long", "Choose a shorter name."),
            _ => (error.Message.TrimEnd('.'), "Check the path and that no other program uses the file."),
        };
        return new IOException($"{path} cannot be written: {reason}. {advice}", error);
    }
}
