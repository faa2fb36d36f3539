using BenchmarkDotNet.Attributes;
using CudaL2Net.Tensors;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>Nearest and second nearest neighbours among as many descriptors: 128 floats, or their 128 signs.</summary>
public class MatchingSuite : OperationSuite
{
    private const int Dimension = 128;
    private Tensor<float> queries = null!, targets = null!, distance = null!;
    private Tensor<byte> bitQueries = null!, bitTargets = null!;
    private Tensor<int> nearest = null!, bitDistance = null!;

    /// <summary>Queries, and targets.</summary>
    [Params(2048)]
    public int Count { get; set; }

    public override double Flop(string benchmark) => benchmark == nameof(NearestEuclidean) ? 2.0 * Count * Count * Dimension : 0;

    [Benchmark]
    public void NearestEuclidean() => Kernels.NearestEuclidean(queries, targets, nearest, distance);

    [Benchmark]
    public void NearestHamming() => Kernels.NearestHamming(bitQueries, bitTargets, nearest, bitDistance);

    protected override void Allocate()
    {
        queries = RandomInput.UnitVectors(Device, Count, Dimension);
        targets = RandomInput.UnitVectors(Device, Count + 1, Dimension).Rows(1, Count);
        distance = Device.Allocate<float>(Count, 2);
        nearest = Device.Allocate<int>(Count, 2);
        bitDistance = Device.Allocate<int>(Count, 2);
        bitQueries = Bits(1);
        bitTargets = Bits(2);
    }

    private Tensor<byte> Bits(int seed)
    {
        var bytes = new byte[Count * Dimension / 8];
        new Random(seed).NextBytes(bytes);
        return Device.Upload<byte>(bytes, Count, Dimension / 8);
    }
}
