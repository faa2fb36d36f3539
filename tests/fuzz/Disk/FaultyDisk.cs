using System.Runtime.InteropServices;
using System.Text;

namespace CudaL2Net.Fuzz.Disk;

/// <summary>How a disk fails.</summary>
internal enum DiskFault
{
    /// <summary>One call fails.</summary>
    ErrorOnce,

    /// <summary>From one write on there is no room; that write puts half of its bytes.</summary>
    Full,

    /// <summary>From one call on everything fails: the disk stays as a process leaves it that is killed there.</summary>
    Dead,
}

/// <summary>The disk of tests/emulator/disk, if this process was started with it.</summary>
internal static unsafe class FaultyDisk
{
    private static readonly nint Arming = Find("disk_arm"), Disarming = Find("disk_disarm");

    /// <summary>Whether it is there.</summary>
    public static bool IsThere => Arming != 0;

    /// <summary>Lets calls on files below a folder fail, from the call of this number on.</summary>
    public static void Arm(string folder, DiskFault fault, long call)
    {
        fixed (byte* path = Encoding.UTF8.GetBytes(folder + "\0"))
        {
            ((delegate* unmanaged[Cdecl]<byte*, int, long, void>)Arming)(path, (int)fault, call);
        }
    }

    /// <summary>Ends that; returns the number of calls that could have failed.</summary>
    public static long Disarm() => ((delegate* unmanaged[Cdecl]<long>)Disarming)();

    private static nint Find(string name) =>
        OperatingSystem.IsLinux() && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), name, out nint address) ? address : 0;
}
