using CudaL2Net.Bench.Operations;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench;

/// <summary>Nearest and second nearest neighbours among as many descriptors as there are queries.</summary>
internal static class MatchBench
{
    private const int Dimension = 128, Bits = 256;

    // Distances of a reference in double precision are slow: those of a few queries are compared.
    private const int CheckedQueries = 16;

    /// <summary>Measures.</summary>
    /// <param name="device">Where.</param>
    /// <param name="count">Queries, and targets.</param>
    /// <param name="bits">Whether by Hamming distance on 256 bits, not by Euclidean on 128 floats.</param>
    /// <param name="rounds">Samples.</param>
    /// <param name="progress">Is told the part that has been done, and what is being done.</param>
    public static BenchReport Run(Device device, int count, bool bits, int rounds, Action<double, string> progress)
    {
        var machine = Machine.Current(device);
        Work work = bits ? Work.NearestHamming(count, count, Bits) : EuclideanWork(count, device is CudaDevice);
        progress(0, "peaks");
        var peaks = new Peaks(device, work.Arithmetic);
        using var set = new TensorSet(device);
        progress(0.1, "inputs");
        PreparedOperation operation = bits ? PrepareHamming(set, count) : PrepareEuclidean(set, count);
        double[][] expected = operation.Expected();
        using var sampler = new Sampler(device, rounds);
        progress(0.2, $"{count} x {count}");
        double[] seconds = sampler.Measure([operation.Run])[0];
        peaks.Measure(device);
        string name = bits ? "nearest (Hamming)" : "nearest (Euclidean)", shape = bits ? $"{Bits} bits" : $"{Dimension} floats";
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
            BandwidthPeak = peaks.Bandwidth,
            ArithmeticPeak = peaks.Of(work.Arithmetic),
            Error = LargestError(operation.Actual(), expected),
            Reference = $"double, {Math.Min(count, CheckedQueries)} queries",
        };
        return new BenchReport("match", machine, rounds, peaks.All, [row]);
    }

    /// <summary>What Euclidean matching costs. On a GPU candidates are looked for on tensor cores once there are many, and then measured in float32.</summary>
    public static Work EuclideanWork(int count, bool onGpu) => Work.NearestEuclidean(
        count, count, Dimension, onGpu && (long)count * count >= CudaDevice.UsualTensorCoreMatches ? Arithmetic.Bf16 : Arithmetic.Float32);

    /// <summary>Unit vectors of 128 values.</summary>
    public static PreparedOperation PrepareEuclidean(TensorSet set, int count)
    {
        Tensor<float> queries = set.UnitVectors(count, Dimension), targets = set.UnitVectors(count, Dimension), distance = set.Empty<float>(count, 2);
        Tensor<int> nearest = set.Empty<int>(count, 2);
        int rows = Math.Min(count, CheckedQueries);
        return new PreparedOperation(
            () => set.Device.Kernels.NearestEuclidean(queries, targets, nearest, distance),
            () => [Plain.Nearest(Doubles(queries.Rows(0, rows)), Doubles(targets), Dimension)],
            () => [Doubles(distance.Rows(0, rows))])
        {
            Vendor = set.Vendor?.Products(set, (count, count, Dimension)),
        };
    }

    /// <summary>256 bits.</summary>
    public static PreparedOperation PrepareHamming(TensorSet set, int count)
    {
        Tensor<byte> queries = set.Bits(count, Bits / 8), targets = set.Bits(count, Bits / 8);
        Tensor<int> nearest = set.Empty<int>(count, 2), distance = set.Empty<int>(count, 2);
        int rows = Math.Min(count, CheckedQueries);
        return new PreparedOperation(
            () => set.Device.Kernels.NearestHamming(queries, targets, nearest, distance),
            () => [Plain.NearestBits(queries.Rows(0, rows).ToArray(), targets.ToArray(), Bits / 8)],
            () => [Doubles(distance.Rows(0, rows))]);
    }
}
