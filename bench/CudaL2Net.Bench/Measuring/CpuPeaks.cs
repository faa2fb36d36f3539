using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Kernels.Cpu;

namespace CudaL2Net.Bench.Measuring;

/// <summary>What a number of threads of this machine can do at most, by short bursts of one kind of work and nothing else.</summary>
internal static unsafe class CpuPeaks
{
    private const int Steps = 100_000;
    private const int ItemsPerThread = 8;
    private const int Rounds = 10;
    private const nuint ChunkBytes = 4 << 20;
    private const int Chunks = 32;

    private static double FlopPerItem => 2.0 * Steps * (Vector512.IsHardwareAccelerated ? 16 * Vector512<float>.Count : 12 * Vector256<float>.Count);

    /// <summary>
    /// Floating-point operations per second by fused multiply-adds, which bound every convolution: independent sums in registers, no memory in the loop. More
    /// sums than a multiply-add's latency times the units (4 cycles x 2 on current cores), so that no unit waits; few enough that none is spilled.
    /// </summary>
    public static double MultiplyAdds(int threads) => FlopPerItem * ItemsPerThread * threads / Best(threads, ItemsPerThread * threads, default(FmaBurst));

    /// <summary>32-bit population counts a second by the instruction for 64 bits: independent sums, no memory in the loop.</summary>
    public static double Popcounts(int threads) => 2.0 * 8 * Steps * ItemsPerThread * threads / Best(threads, ItemsPerThread * threads, default(PopcountBurst));

    /// <summary>Bytes a second that are read and written while memory larger than the caches is copied.</summary>
    public static double Bandwidth(int threads)
    {
        void* from = NativeMemory.AlignedAlloc(Chunks * ChunkBytes, 64), to = NativeMemory.AlignedAlloc(Chunks * ChunkBytes, 64);
        try
        {
            new Span<byte>(from, (int)(Chunks * ChunkBytes)).Fill(1);
            return 2.0 * Chunks * ChunkBytes / Best(threads, Chunks, new CopyJob { From = (byte*)from, To = (byte*)to });
        }
        finally
        {
            NativeMemory.AlignedFree(from);
            NativeMemory.AlignedFree(to);
        }
    }

    private static double Best<TJob>(int threads, int items, TJob job)
        where TJob : unmanaged, IParallelJob
    {
        using var pool = new WorkerPool(threads);
        pool.For(items, job);
        double best = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            best = Math.Min(best, Timing.Seconds(() => pool.For(items, job)));
        }

        return best;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sums512()
    {
        Vector512<float> a = Vector512.Create(0.999f), b = Vector512.Create(0.001f);
        Vector512<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b, s10 = b, s11 = b, s12 = b, s13 = b, s14 = b, s15 = b;
        for (int i = 0; i < Steps; i++)
        {
            s0 = Vector512.FusedMultiplyAdd(s0, a, b);
            s1 = Vector512.FusedMultiplyAdd(s1, a, b);
            s2 = Vector512.FusedMultiplyAdd(s2, a, b);
            s3 = Vector512.FusedMultiplyAdd(s3, a, b);
            s4 = Vector512.FusedMultiplyAdd(s4, a, b);
            s5 = Vector512.FusedMultiplyAdd(s5, a, b);
            s6 = Vector512.FusedMultiplyAdd(s6, a, b);
            s7 = Vector512.FusedMultiplyAdd(s7, a, b);
            s8 = Vector512.FusedMultiplyAdd(s8, a, b);
            s9 = Vector512.FusedMultiplyAdd(s9, a, b);
            s10 = Vector512.FusedMultiplyAdd(s10, a, b);
            s11 = Vector512.FusedMultiplyAdd(s11, a, b);
            s12 = Vector512.FusedMultiplyAdd(s12, a, b);
            s13 = Vector512.FusedMultiplyAdd(s13, a, b);
            s14 = Vector512.FusedMultiplyAdd(s14, a, b);
            s15 = Vector512.FusedMultiplyAdd(s15, a, b);
        }

        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11 + s12 + s13 + s14 + s15);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sums256()
    {
        Vector256<float> a = Vector256.Create(0.999f), b = Vector256.Create(0.001f);
        Vector256<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b, s10 = b, s11 = b;
        for (int i = 0; i < Steps; i++)
        {
            s0 = Vector256.FusedMultiplyAdd(s0, a, b);
            s1 = Vector256.FusedMultiplyAdd(s1, a, b);
            s2 = Vector256.FusedMultiplyAdd(s2, a, b);
            s3 = Vector256.FusedMultiplyAdd(s3, a, b);
            s4 = Vector256.FusedMultiplyAdd(s4, a, b);
            s5 = Vector256.FusedMultiplyAdd(s5, a, b);
            s6 = Vector256.FusedMultiplyAdd(s6, a, b);
            s7 = Vector256.FusedMultiplyAdd(s7, a, b);
            s8 = Vector256.FusedMultiplyAdd(s8, a, b);
            s9 = Vector256.FusedMultiplyAdd(s9, a, b);
            s10 = Vector256.FusedMultiplyAdd(s10, a, b);
            s11 = Vector256.FusedMultiplyAdd(s11, a, b);
        }

        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Counts(ulong seed)
    {
        ulong y = seed;
        int s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        for (int i = 0; i < Steps; i++)
        {
            s0 += BitOperations.PopCount(y ^ 0x9e3779b97f4a7c15);
            s1 += BitOperations.PopCount(y ^ 0xbf58476d1ce4e5b9);
            s2 += BitOperations.PopCount(y ^ 0x94d049bb133111eb);
            s3 += BitOperations.PopCount(y ^ 0xd6e8feb86659fd93);
            s4 += BitOperations.PopCount(y ^ 0xff51afd7ed558ccd);
            s5 += BitOperations.PopCount(y ^ 0xc4ceb9fe1a85ec53);
            s6 += BitOperations.PopCount(y ^ 0x2545f4914f6cdd1d);
            s7 += BitOperations.PopCount(y ^ 0x5851f42d4c957f2d);
            y += 0x9e3779b97f4a7c15;
        }

        return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
    }

    private struct FmaBurst : IParallelJob
    {
        public readonly void Run(int index, int worker)
        {
            float sum = Vector512.IsHardwareAccelerated ? Sums512() : Sums256();
            if (!float.IsFinite(sum))
            {
                throw new InvalidOperationException("the sums must stay near 1");
            }
        }
    }

    private struct PopcountBurst : IParallelJob
    {
        public readonly void Run(int index, int worker)
        {
            if (Counts((ulong)index) == 0)
            {
                throw new InvalidOperationException("some bits must be set");
            }
        }
    }

    private struct CopyJob : IParallelJob
    {
        public byte* From;
        public byte* To;

        public readonly void Run(int index, int worker) => NativeMemory.Copy(From + ((nuint)index * ChunkBytes), To + ((nuint)index * ChunkBytes), ChunkBytes);
    }
}
