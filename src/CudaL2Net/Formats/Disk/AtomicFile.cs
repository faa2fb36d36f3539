namespace CudaL2Net.Formats;

/// <summary>
/// A file that appears whole or not at all: written under a random name in the same folder, flushed to the disk, then renamed over its place.
/// Until <see cref="Commit"/> has returned an older file of that name is untouched; without it the temporary file is removed by <see cref="Dispose"/>.
/// </summary>
/// <remarks>
/// Every file of this project is written here. Where the place is a symbolic link, the file it leads to is written and the link stays. A file that is
/// replaced leaves its permissions to the new one. A read-only file, a device, a pipe and a folder are refused.
/// </remarks>
internal sealed class AtomicFile : IDisposable
{
    private const UnixFileMode AnyWrite = UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private readonly string path;
    private readonly string target;
    private readonly string temporaryPath;
    private FileStream? stream;

    private AtomicFile(string path, string target)
    {
        this.path = path;
        this.target = target;
        UnixFileMode? mode = CheckReplaceable(target);
        TemporaryFile.RemoveLeft(target);
        temporaryPath = TemporaryFile.NameFor(target);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 1 << 16,
        };
        if (mode is { } kept && !OperatingSystem.IsWindows())
        {
            // The mask of new files may take some of the rights away; the second call gives them back.
            options.UnixCreateMode = kept;
            stream = new FileStream(temporaryPath, options);
            File.SetUnixFileMode(stream.SafeFileHandle, kept);
            return;
        }

        stream = new FileStream(temporaryPath, options);
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
        try
        {
            return new AtomicFile(path, RealPath.Of(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Explain(path, error);
        }
    }

    /// <summary>Throws where <see cref="Create"/> would: to be asked before the work whose result the file gets. Leaves nothing.</summary>
    /// <exception cref="IOException">The file cannot be written; the text names it, the reason and what to do.</exception>
    public static void RequireWritable(string path)
    {
        using AtomicFile probe = Create(path);
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
            if (OperatingSystem.IsWindows())
            {
                open.Dispose();
            }

            // Elsewhere it is open, and so locked, until it has its name: nobody takes it for one that a killed process left.
            File.Move(temporaryPath, target, overwrite: true);
            open.Dispose();
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
        TemporaryFile.Remove(temporaryPath);
    }

    /// <summary>Whether what the system reported is a full disk, or a full quota.</summary>
    /// <remarks>Unix gives errno (28 ENOSPC, 122 EDQUOT), Windows the HRESULT of ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.</remarks>
    internal static bool IsDiskFull(Exception error) => error.HResult is 28 or 122 or unchecked((int)0x80070070) or unchecked((int)0x80070027);

    /// <summary>An exception that names the file that could not be written, the reason and what to do, with the system's own <see cref="Exception.HResult"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">What the system reported.</param>
    internal static IOException Explain(string path, Exception error)
    {
        const int ReadOnlySystem = 30;
        (string reason, string advice) = error switch
        {
            UnwritablePlaceException place => (place.Message, place.Advice),
            _ when IsDiskFull(error) => ("the disk is full", "Free some space or write elsewhere."),
            _ when error.HResult is ReadOnlySystem => ("the file system is read-only", "Write elsewhere."),
            UnauthorizedAccessException => ("access is denied", "Check the rights on the file and its folder, or write elsewhere."),
            DirectoryNotFoundException => ("its folder does not exist", "Create the folder or write elsewhere."),
            PathTooLongException => ("the path is too long", "Choose a shorter name."),
            _ => (error.Message.TrimEnd('.'), "Check the path and that no other program uses the file."),
        };
        return new IOException($"{path} cannot be written: {reason}. {advice}", error) { HResult = error.HResult };
    }

    // The permissions of the file that is there; null where there is none, or the system has no such permissions.
    private static UnixFileMode? CheckReplaceable(string target)
    {
        if (Directory.Exists(target))
        {
            throw new UnwritablePlaceException("it is a folder", "Name a file in it.");
        }

        if (FileStatus.Of(target) is { IsRegular: false })
        {
            throw new UnwritablePlaceException("it is a device, a pipe or a socket", "Name a regular file.");
        }

        if (!File.Exists(target))
        {
            return null;
        }

        UnixFileMode? mode = OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(target);
        if (mode is { } rights ? (rights & AnyWrite) == 0 : new FileInfo(target).IsReadOnly)
        {
            throw new UnwritablePlaceException("there is a read-only file", "Make it writable, or write elsewhere.");
        }

        // Renaming needs rights on the folder only; the file's own say whether it may be changed.
        using FileStream allowed = new(target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        return mode;
    }

    private sealed class UnwritablePlaceException(string reason, string advice) : IOException(reason)
    {
        public string Advice { get; } = advice;
    }
}
