using System.Runtime.InteropServices;

namespace CudaL2Net.Formats;

/// <summary>What Linux knows of a file or folder besides what .NET tells.</summary>
/// <param name="Identity">The device and the number of the file on it: equal for two paths to one file.</param>
/// <param name="IsRegular">Whether it is an ordinary file or a folder, and no device, pipe or socket.</param>
internal readonly partial record struct FileStatus((uint Major, uint Minor, ulong Number) Identity, bool IsRegular)
{
    /// <summary>The status of what a path leads to, links followed; null where there is nothing, or on another system than Linux.</summary>
    public static unsafe FileStatus? Of(string path)
    {
        const int CurrentFolder = -100;
        const uint TypeAndNumber = 0x101;
        const ushort TypeMask = 0xF000, Folder = 0x4000, Regular = 0x8000;
        if (!OperatingSystem.IsLinux() || path.Contains('\0'))
        {
            return null;
        }

        try
        {
            Answer answer;
            return statx(CurrentFolder, path, 0, TypeAndNumber, &answer) == 0
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
