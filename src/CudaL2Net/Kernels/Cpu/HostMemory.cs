using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Memory of the CPU's tensors and working space. Large blocks ask Linux for pages of 2 MB: a pass over activations of some 30 MB then misses no address
/// translation, and working space keeps its place in the second cache, instead of meeting itself in a few of its sets as scattered small pages happen to.
/// </summary>
internal static unsafe partial class HostMemory
{
    private const nuint LargePage = 2 << 20;
    private const nuint Line = 64;
    private const int AdviseLargePages = 14;

    /// <summary>At least <paramref name="bytes"/>, aligned to 64 bytes, contents undefined.</summary>
    public static void* Allocate(nuint bytes)
    {
        if (bytes < LargePage / 2 || !OperatingSystem.IsLinux())
        {
            return NativeMemory.AlignedAlloc(Math.Max(bytes, Line), Line);
        }

        nuint whole = (bytes + LargePage - 1) & ~(LargePage - 1);
        void* memory = NativeMemory.AlignedAlloc(whole, LargePage);

        // Advice only: where it is refused, pages are small.
        _ = Advise(memory, whole, AdviseLargePages);
        return memory;
    }

    /// <summary>Gives memory back.</summary>
    public static void Free(void* memory) => NativeMemory.AlignedFree(memory);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint length, int advice);
}
