using BenchmarkDotNet.Attributes;
using CudaL2Net.Kernels;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>Nearest and second nearest neighbours among as many descriptors: 128 floats, or their 128 signs.</summary>
public class MatchingSuite : OperationSuite
{
    private const int Dimension = 128;
    private Tensor<float> queries = null!, distance = null!;
    private Tensor<byte> bitQueries = null!;
    private SearchTargets<float> targets = null!;
    private SearchTargets<byte> bitTargets = null!;
    private Tensor<int> nearest = null!, bitDistance = null!;

    /// <summary>Queries, and targets.</summary>
    [Params(2048)]
    public int Count { get; set; }

    public override double Flop(string benchmark) => benchmark == nameof(NearestEuclidean) ? 2.0 * Count * Count * Dimension : 0;

    [Benchmark]
    public void NearestEuclidean()
    {
        targets.Refresh();
        Kernels.NearestEuclidean(queries, targets, nearest, distance);
    }

    [Benchmark]
    public void NearestHamming()
    {
        bitTargets.Refresh();
        Kernels.NearestHamming(bitQueries, bitTargets, nearest, bitDistance);
    }

    protected override void Allocate()
    {
        queries = Inputs.UnitVectors(Count, Dimension);
        targets = Inputs.Own(Kernels.Prepare(Inputs.UnitVectors(Count, Dimension)));
        distance = Inputs.Empty<float>(Count, 2);
        nearest = Inputs.Empty<int>(Count, 2);
        bitDistance = Inputs.Empty<int>(Count, 2);
        bitQueries = Inputs.Bits(Count, Dimension / 8);
        bitTargets = Inputs.Own(Kernels.Prepare(Inputs.Bits(Count, Dimension / 8)));
    }
}
