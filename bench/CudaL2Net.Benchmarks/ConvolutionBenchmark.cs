using CudaL2Net.Devices;
using CudaL2Net.Devices.Cpu;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Benchmarks;

/// <summary>The three passes of every layer's convolution in training, against the machine's rate of fused multiply-adds.</summary>
internal static class ConvolutionBenchmark
{
    private const int Batch = 256;

    public static IEnumerable<Table> Run(Settings settings)
    {
        var table = new Table(
            $"Convolutions of L2-Net, {Batch} patches",
            ("threads", "0"),
            ("layer", ""),
            ("forward ms", "0.00"),
            ("data ms", "0.00"),
            ("filter ms", "0.00"),
            ("forward GFLOP/s", "0"),
            ("data GFLOP/s", "0"),
            ("filter GFLOP/s", "0"),
            ("forward share", "0%"),
            ("data share", "0%"),
            ("filter share", "0%"))
        {
            Note = "Medians; packing of the filters and zero margins included. Shares are of the rate of fused multiply-adds measured in the same run. The first layer needs no gradient of its input.",
        };
        foreach (int threads in settings.Threads)
        {
            double before = FmaPeak.Measure(threads);
            var rows = new List<(string Layer, double Flop, double[] Seconds)>();
            int side = FoldedNetwork.InputSide;
            using var device = new CpuDevice(threads);
            foreach (TowerLayer layer in TowerLayer.All)
            {
                var geometry = new Conv2dGeometry(Batch, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
                rows.Add((Name(layer, side), 2.0 * geometry.MultiplyAdds, Measure(device, geometry, settings.Rounds, rows.Count > 0)));
                side = geometry.OutHeight;
            }

            double peak = Math.Max(before, FmaPeak.Measure(threads));
            foreach ((string layer, double flop, double[] seconds) in rows)
            {
                double[] rates = [.. seconds.Select(s => flop / s / 1e9)];
                table.Add([threads, layer, .. seconds.Select(s => (object)(s * 1e3)), .. rates.Cast<object>(), .. rates.Select(rate => (object)(rate / peak))]);
            }
        }

        yield return table;
    }

    /// <summary>A layer's name in tables.</summary>
    public static string Name(TowerLayer layer, int side) => $"{layer.Kernel}x{layer.Kernel} {layer.InChannels}-{layer.OutChannels}{(layer.Stride > 1 ? $" /{layer.Stride}" : "")} on {side}x{side}";

    private static double[] Measure(Device device, Conv2dGeometry geometry, int rounds, bool data)
    {
        Conv2dGeometry g = geometry;
        using Tensor<float> x = RandomInput.Gaussian(device, g.Batch, g.Height, g.Width, g.InChannels), dx = device.Allocate<float>(x.Shape);
        using Tensor<float> filters = RandomInput.Gaussian(device, g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels), dFilters = device.Allocate<float>(filters.Shape);
        using Tensor<float> y = device.Allocate<float>(g.Batch, g.OutHeight, g.OutWidth, g.OutChannels), dy = RandomInput.Gaussian(device, y.Shape);
        Action forward = () => device.Kernels.Conv2dForward(g, x, filters, null, y);
        Action backwardData = () => device.Kernels.Conv2dBackwardData(g, dy, filters, dx);
        Action backwardFilter = () => device.Kernels.Conv2dBackwardFilter(g, x, dy, dFilters, null);
        if (data)
        {
            return Timing.Interleaved(rounds, forward, backwardData, backwardFilter);
        }

        double[] seconds = Timing.Interleaved(rounds, forward, backwardFilter);
        return [seconds[0], double.NaN, seconds[1]];
    }
}
