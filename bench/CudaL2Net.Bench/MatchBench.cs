using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench;

/// <summary>Nearest and second nearest neighbours among as many descriptors as there are queries.</summary>
internal static class MatchBench
{
    /// <summary>Measures.</summary>
    /// <param name="device">Where.</param>
    /// <param name="count">Queries, and targets.</param>
    /// <param name="bits">Whether by Hamming distance on 256 bits, not by Euclidean on 128 floats.</param>
    /// <param name="rounds">Samples.</param>
    /// <param name="progress">Is told the part that has been done, and what is being done.</param>
    /// <param name="keep">Gets the report, unfinished, after every row.</param>
    public static BenchReport Run(Device device, int count, bool bits, int rounds, Action<double, string> progress, Action<BenchReport> keep)
    {
        var report = new GrowingReport("match", rounds, keep);
        Work work = bits ? Work.NearestHamming(count, count, MatchOperations.Bits) : MatchOperations.EuclideanWork(count, device is CudaDevice);
        progress(0, "peaks");
        var peaks = new Peaks(device, work.Arithmetic);
        report.Begin(device, peaks);
        using var set = new TensorSet(device);
        progress(0.1, "inputs");
        PreparedOperation operation = bits ? MatchOperations.PrepareHamming(set, count) : MatchOperations.PrepareEuclidean(set, count);
        double[][] expected = operation.Expected();
        using var sampler = new Sampler(device, rounds);
        progress(0.2, $"{count} x {count}");
        double[] seconds = sampler.Measure([operation.Run])[0];
        string name = bits ? "nearest (Hamming)" : "nearest (Euclidean)", shape = bits ? $"{MatchOperations.Bits} bits" : $"{MatchOperations.Dimension} floats";
        var row = new BenchRow
        {
            Name = $"{name}, {shape}, {count} x {count}",
            Operation = name,
            Shape = shape,
            Batch = count,
            Precision = bits ? "bits" : "float32",
            Threads = (device as CpuDevice)?.Threads,
            Seconds = seconds,
            Bytes = work.Bytes,
            Operations = work.Operations,
            Counting = work.Counting,
            Error = LargestError(operation.Actual(), expected),
            Reference = $"double, {Math.Min(count, MatchOperations.CheckedQueries)} queries",
        };
        report.Add(row, work.Arithmetic);
        peaks.Measure(device);
        return report.Report();
    }
}
