using BenchmarkDotNet.Attributes;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Kernels;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>The three passes of each of L2-Net's convolutions on 2 x 128 patches.</summary>
public class ConvolutionSuite : OperationSuite
{
    private const int Batch = 256;
    private Conv2dGeometry geometry;
    private Tensor<float> x = null!, dx = null!, filters = null!, dFilters = null!, y = null!, dy = null!;

    /// <summary>The layer, from 1.</summary>
    [Params(1, 2, 3, 4, 5, 6, 7)]
    public int Layer { get; set; }

    public override double Flop(string benchmark) => 2.0 * L2NetLayers.Of(Batch)[Layer - 1].MultiplyAdds;

    [Benchmark]
    public void Forward() => Kernels.Conv2dForward(geometry, x, filters, null, y);

    [Benchmark]
    public void BackwardData() => Kernels.Conv2dBackwardData(geometry, dy, filters, dx);

    [Benchmark]
    public void BackwardFilter() => Kernels.Conv2dBackwardFilter(geometry, x, dy, dFilters, null);

    protected override void Allocate()
    {
        geometry = L2NetLayers.Of(Batch)[Layer - 1];
        x = Inputs.Gaussian(Batch, geometry.Height, geometry.Width, geometry.InChannels);
        dx = Inputs.Empty<float>(x.Shape);
        filters = Inputs.Gaussian(geometry.OutChannels, geometry.KernelHeight, geometry.KernelWidth, geometry.InChannels);
        dFilters = Inputs.Empty<float>(filters.Shape);
        y = Inputs.Empty<float>(Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels);
        dy = Inputs.Gaussian(y.Shape);
    }
}
