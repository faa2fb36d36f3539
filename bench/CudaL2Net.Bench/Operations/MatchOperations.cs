using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench.Operations;

/// <summary>Nearest and second nearest neighbours among as many descriptors as there are queries.</summary>
internal static class MatchOperations
{
    /// <summary>Values of a descriptor of floats.</summary>
    public const int Dimension = 128;

    /// <summary>Bits of a binary descriptor.</summary>
    public const int Bits = 256;

    /// <summary>Distances of a reference in double precision are slow: those of so many queries are compared.</summary>
    public const int CheckedQueries = 16;

    /// <summary>What Euclidean matching costs. On a GPU candidates are looked for on tensor cores once there are many, and then measured in float32.</summary>
    public static Work EuclideanWork(int count, bool onGpu) => Work.NearestEuclidean(
        count, count, Dimension, onGpu && (long)count * count >= CudaDevice.UsualTensorCoreMatches ? Arithmetic.Bf16 : Arithmetic.Float32);

    /// <summary>Unit vectors of 128 values.</summary>
    public static PreparedOperation PrepareEuclidean(TensorSet set, int count)
    {
        Tensor<float> queries = set.UnitVectors(count, Dimension), targets = set.UnitVectors(count, Dimension), distance = set.Empty<float>(count, 2);
        Tensor<int> nearest = set.Empty<int>(count, 2);
        SearchTargets<float> prepared = set.Own(set.Device.Kernels.Prepare(targets));
        int rows = Math.Min(count, CheckedQueries);
        return new PreparedOperation(
            () =>
            {
                prepared.Refresh();
                set.Device.Kernels.NearestEuclidean(queries, prepared, nearest, distance);
            },
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
        SearchTargets<byte> prepared = set.Own(set.Device.Kernels.Prepare(targets));
        int rows = Math.Min(count, CheckedQueries);
        return new PreparedOperation(
            () =>
            {
                prepared.Refresh();
                set.Device.Kernels.NearestHamming(queries, prepared, nearest, distance);
            },
            () => [Plain.NearestBits(queries.Rows(0, rows).ToArray(), targets.ToArray(), Bits / 8)],
            () => [Doubles(distance.Rows(0, rows))]);
    }
}
