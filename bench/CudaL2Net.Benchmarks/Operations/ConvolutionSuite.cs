using BenchmarkDotNet.Attributes;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

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

    public override double Flop(string benchmark) => 2.0 * (DescribeBenchmark.Layers().ElementAt(Layer - 1) with { Batch = Batch }).MultiplyAdds;

    [Benchmark]
    public void Forward() => Kernels.Conv2dForward(geometry, x, filters, null, y);

    [Benchmark]
    public void BackwardData() => Kernels.Conv2dBackwardData(geometry, dy, filters, dx);

    [Benchmark]
    public void BackwardFilter() => Kernels.Conv2dBackwardFilter(geometry, x, dy, dFilters, null);

    protected override void Allocate()
    {
        geometry = DescribeBenchmark.Layers().ElementAt(Layer - 1) with { Batch = Batch };
        TowerLayer layer = TowerLayer.All[Layer - 1];
        x = RandomInput.Gaussian(Device, Batch, geometry.Height, geometry.Width, layer.InChannels);
        dx = Device.Allocate<float>(x.Shape);
        filters = RandomInput.Gaussian(Device, layer.OutChannels, layer.Kernel, layer.Kernel, layer.InChannels);
        dFilters = Device.Allocate<float>(filters.Shape);
        y = Device.Allocate<float>(Batch, geometry.OutHeight, geometry.OutWidth, layer.OutChannels);
        dy = RandomInput.Gaussian(Device, y.Shape);
    }
}
