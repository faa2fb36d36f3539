using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace CudaL2Net.Formats;

/// <summary>What Linux knows of a file or folder besides what .NET tells.</summary>
/// <param name="Identity">The device and the number of the file on it: equal for two paths to one file.</param>
/// <param name="IsRegular">Whether it is an ordinary file or a folder, and no device, pipe or socket.</param>
internal readonly partial record struct FileStatus((uint Major, uint Minor, ulong Number) Identity, bool IsRegular)
{
    /// <summary>The status of what a path leads to, links followed; null where there is nothing, or on another system than Linux.</summary>
    public static FileStatus? Of(string path)
    {
        const int CurrentFolder = -100;
        return path.Length == 0 || path.Contains('\0') ? null : Ask(CurrentFolder, path, 0);
    }

    /// <summary>The status of an open file, whatever has become of its name; null on another system than Linux.</summary>
    public static FileStatus? Of(SafeFileHandle file)
    {
        const int OfTheHandle = 0x1000;
        return Ask((int)file.DangerousGetHandle(), string.Empty, OfTheHandle);
    }

    private static unsafe FileStatus? Ask(int folder, string path, int flags)
    {
        const uint TypeAndNumber = 0x101;
        const ushort TypeMask = 0xF000, Folder = 0x4000, Regular = 0x8000;
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            Answer answer;
            return statx(folder, path, flags, TypeAndNumber, &answer) == 0
                ? new FileStatus((answer.Major, answer.Minor, answer.Number), (answer.Mode & TypeMask) is Regular or Folder)
                : null;
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statx(int folder, string path, int flags, uint mask, Answer* answer);

    // The kernel's struct statx, which is the same on all processors.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Answer
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Number;

        [FieldOffset(136)]
        public uint Major;

        [FieldOffset(140)]
        public uint Minor;
    }
}
