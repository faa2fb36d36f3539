namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    private const int PeakThreads = 256;

    private int PeakBlocks => 4 * Multiprocessors;

    /// <summary>The length of the output of <see cref="RunPeak"/>.</summary>
    internal int PeakOutputs => PeakBlocks * PeakThreads;

    /// <summary>Queues arithmetic and nothing else, on the whole device.</summary>
    /// <param name="arithmetic">The kind.</param>
    /// <param name="steps">How much of it.</param>
    /// <param name="output">[<see cref="PeakOutputs"/>]: sums of it.</param>
    /// <returns>The operations: two a multiply-add, one a 32-bit population count.</returns>
    internal long RunPeak(Arithmetic arithmetic, int steps, Tensor<float> output)
    {
        const int SumsOfThread = 8 * 16, CountsOfThread = 8 * 8, TilesOfWarp = 8, OperationsOfTile = 2 * 16 * 8;
        long threads = RequirePeakOutputs(output), warps = threads / 32;
        switch (arithmetic)
        {
            case Arithmetic.Float32:
                Launch("bench_peak", "bench_fma", PeakBlocks, PeakThreads, 0, output, 0.999f, 0.001f, steps);
                return 2 * threads * steps * SumsOfThread;
            case Arithmetic.Tf32:
                Launch("bench_peak", "bench_tf32", PeakBlocks, PeakThreads, 0, output, steps);
                return warps * steps * TilesOfWarp * OperationsOfTile * 8;
            case Arithmetic.Bf16:
                Launch("bench_peak", "bench_bf16", PeakBlocks, PeakThreads, 0, output, steps);
                return warps * steps * TilesOfWarp * OperationsOfTile * 16;
            case Arithmetic.Int8:
                Launch("bench_peak", "bench_int8", PeakBlocks, PeakThreads, 0, output, steps);
                return warps * steps * TilesOfWarp * OperationsOfTile * 32;
            default:
                Launch("bench_peak", "bench_popcount", PeakBlocks, PeakThreads, 0, output, steps);
                return threads * steps * CountsOfThread;
        }
    }

    private long RequirePeakOutputs(Tensor<float> output) => output.Length == PeakOutputs
        ? PeakOutputs
        : throw new ArgumentException($"output has {output.Length} elements, expected {PeakOutputs}", nameof(output));
}
