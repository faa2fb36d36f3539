using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Devices.Cpu;

namespace CudaL2Net.Benchmarks;

/// <summary>
/// The machine's rate of fused multiply-adds, which bounds every convolution: independent sums in registers, no memory in the loop. More sums than a
/// multiply-add's latency times the units (4 cycles x 2 on current cores), so that no unit waits; few enough that none is spilled.
/// </summary>
internal static class FmaPeak
{
    private const int Steps = 100_000;
    private const int ItemsPerThread = 8;
    private const int Rounds = 10;
    private static readonly Dictionary<int, double> Highest = [];

    /// <summary>
    /// GFLOP/s of so many threads: the best of ten bursts now and of all earlier ones in this run, so that shares of it are rather too low than too high.
    /// </summary>
    public static double Measure(int threads)
    {
        using var pool = new WorkerPool(threads);
        double best = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            best = Math.Min(best, Timing.Seconds(() => pool.For(ItemsPerThread * threads, default(Burst))));
        }

        return Highest[threads] = Math.Max(FlopPerItem * ItemsPerThread * threads / best / 1e9, Highest.GetValueOrDefault(threads));
    }

    private static double FlopPerItem => 2.0 * Steps * (Vector512.IsHardwareAccelerated ? 16 * Vector512<float>.Count : 12 * Vector256<float>.Count);

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

    private struct Burst : IParallelJob
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
}
