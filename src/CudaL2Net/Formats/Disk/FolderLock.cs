using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace CudaL2Net.Formats;

/// <summary>
/// Keeps a folder for one process: a file in it is open and locked for as long as somebody writes there. The system lets go of the lock when the process
/// ends, however it ends, so a file that a killed process left hinders nobody.
/// </summary>
internal sealed partial class FolderLock : IDisposable
{
    private const string Name = ".lock";

    private readonly string path;
    private readonly FileStream file;
    private readonly IReadOnlyList<string> made;

    private FolderLock(string path, FileStream file, IReadOnlyList<string> made)
    {
        this.path = path;
        this.file = file;
        this.made = made;
    }

    /// <summary>Takes a folder, and makes it if it is not there.</summary>
    /// <exception cref="IOException">Another process, or another part of this one, has it; or it cannot be made or written. The message says who, and what to do.</exception>
    public static FolderLock Take(string folder)
    {
        IReadOnlyList<string> made = WritableFolder.Make(folder);
        return TakeFile(folder, Path.Combine(folder, Name), made);
    }

    /// <summary>Takes a folder that is to appear whole, by a file beside it; makes the folders above it.</summary>
    /// <exception cref="IOException">As in <see cref="Take"/>.</exception>
    public static FolderLock TakeBeside(string folder)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        IReadOnlyList<string> made = Path.GetDirectoryName(full) is { } above ? WritableFolder.Make(above) : [];
        return TakeFile(folder, $"{full}{Name}", made);
    }

    /// <summary>Lets go of the folder, and removes the file; also the folders that were made for this and have stayed empty.</summary>
    public void Dispose()
    {
        // While it is still locked: nobody else can have taken it.
        if (!OperatingSystem.IsWindows())
        {
            TemporaryFile.Remove(path);
        }

        file.Dispose();
        if (OperatingSystem.IsWindows())
        {
            TemporaryFile.Remove(path);
        }

        WritableFolder.RemoveEmpty(made);
    }

    private static FolderLock TakeFile(string folder, string path, IReadOnlyList<string> made)
    {
        const int Attempts = 10;
        if (new FileInfo(path).LinkTarget is not null)
        {
            throw new IOException($"{path} is a link, and it should be a file that locks the folder. Remove it.");
        }

        for (int i = 0; ; i++)
        {
            FileStream file;
            try
            {
                // On Windows others may read what is locked, on Unix they may not open it a second time.
                FileShare share = OperatingSystem.IsWindows() ? FileShare.Read | FileShare.Delete : FileShare.None;
                file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, share, bufferSize: 0);
            }
            catch (UnauthorizedAccessException error)
            {
                throw AtomicFile.Explain(path, error);
            }
            catch (IOException error) when (File.Exists(path))
            {
                throw new IOException(
                    $"{folder} is being written by another process ({Holder(path)}). Wait until it has ended, or choose another folder.", error);
            }
            catch (IOException error)
            {
                throw AtomicFile.Explain(path, error);
            }

            // The one before may have removed the file after this one had opened it: then it locks nothing.
            if (FileStatus.Of(file.SafeFileHandle) is { } locked && FileStatus.Of(path)?.Identity != locked.Identity && i < Attempts)
            {
                file.Dispose();
                continue;
            }

            var taken = new FolderLock(path, file, made);
            try
            {
                file.SetLength(0);
                file.Write(Encoding.UTF8.GetBytes(string.Create(
                    CultureInfo.InvariantCulture,
                    $"process {Environment.ProcessId} on {Environment.MachineName}, since {DateTime.UtcNow:yyyy-MM-dd HH:mm:ss} UTC\n")));
                return taken;
            }
            catch (IOException error)
            {
                // A full disk: the file goes, and with it the lock.
                taken.Dispose();
                throw AtomicFile.Explain(path, error);
            }
        }
    }

    private static string Holder(string path)
    {
        try
        {
            using SafeFileHandle handle = OperatingSystem.IsWindows()
                ? File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete)
                : new SafeFileHandle(OpenUnlocked(path, 0), ownsHandle: true);
            var text = new byte[200];
            string holder = handle.IsInvalid ? string.Empty : Encoding.UTF8.GetString(text.AsSpan(0, RandomAccess.Read(handle, text, 0))).Trim();
            return holder.Length > 0 && !holder.Any(char.IsControl) ? holder : "which one is not known";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException)
        {
            return "which one is not known";
        }
    }

    // .NET's own ways to open a file ask for the lock first.
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenUnlocked(string path, int flags);
}
