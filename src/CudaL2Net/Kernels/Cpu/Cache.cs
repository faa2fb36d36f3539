using System.Runtime.Intrinsics.X86;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Hints about memory that will be read soon.</summary>
internal static unsafe class Cache
{
    private const int LineLength = 16;

    /// <summary>Asks for floats to be brought to the second cache; they need not exist.</summary>
    public static void Prefetch(float* start, int length)
    {
        if (Sse.IsSupported)
        {
            for (int i = 0; i < length; i += LineLength)
            {
                Sse.Prefetch1(start + i);
            }
        }
    }
}
