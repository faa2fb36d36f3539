using CudaL2Net.Devices;
using CudaL2Net.Devices.Cpu;
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
            Note = "Medians; packing of the filters and zero margins included. Shares are of the rate of fused multiply-adds measured in the same run. "
                + "The first layer needs no gradient of its input.",
        };
        foreach (int threads in settings.Threads)
        {
            double before = FmaPeak.Measure(threads);
            var rows = new List<(string Layer, double Flop, double[] Seconds)>();
            using var device = new CpuDevice(threads);
            foreach (Conv2dGeometry layer in DescribeBenchmark.Layers().Select(layer => layer with { Batch = Batch }))
            {
                rows.Add((Name(layer), 2.0 * layer.MultiplyAdds, Measure(device, layer, settings.Rounds, rows.Count > 0)));
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

    private static string Name(in Conv2dGeometry g) =>
        $"{g.KernelHeight}x{g.KernelWidth} {g.InChannels}-{g.OutChannels}{(g.Stride > 1 ? $" /{g.Stride}" : "")} on {g.Height}x{g.Width}";

    private static double[] Measure(Device device, Conv2dGeometry g, int rounds, bool data)
    {
        using Tensor<float> x = RandomInput.Gaussian(device, g.Batch, g.Height, g.Width, g.InChannels), dx = device.Allocate<float>(x.Shape);
        using Tensor<float> filters = RandomInput.Gaussian(device, g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);
        using Tensor<float> dFilters = device.Allocate<float>(filters.Shape);
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
