using CudaL2Net.Devices.Cpu;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Benchmarks;

/// <summary>What the steps of the convolution's design gain, on L2-Net's fourth layer: from plain loops to the library's kernel.</summary>
internal static unsafe class LadderBenchmark
{
    private const int Batch = 64;

    // Plain loops are slow, and take as long for every image.
    private const int PlainImages = 4;

    public static IEnumerable<Table> Run(Settings settings)
    {
        Conv2dGeometry g = DescribeBenchmark.Layers().ElementAt(3) with { Batch = Batch };
        var table = new Table(
            $"The forward pass of the fourth layer, step by step, {Batch} patches",
            ("step", ""),
            ("threads", "0"),
            ("ms", "0.0"),
            ("GFLOP/s", "0.0"),
            ("share", "0.0%"))
        {
            Note = "Medians; shares of the rate of fused multiply-adds with as many threads, measured in the same run. Every step gives the same sums.",
        };
        using var one = new CpuDevice(1);
        using Tensor<float> x = RandomInput.Gaussian(one, Batch, g.Height, g.Width, g.InChannels);
        using Tensor<float> filters = RandomInput.Gaussian(one, g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);
        using Tensor<float> plain = one.Allocate<float>(Batch, g.OutHeight, g.OutWidth, g.OutChannels), pixels = one.Allocate<float>(plain.Shape);
        using Tensor<float> tiles = one.Allocate<float>(plain.Shape);
        double peak = FmaPeak.Measure(1);
        Conv2dGeometry few = g with { Batch = PlainImages };
        double[] seconds = Timing.Interleaved(
            settings.Rounds,
            () => PlainLoops(few, x.Pointer, filters.Pointer, plain.Pointer),
            () => PixelByPixel(g, x.Pointer, filters.Pointer, pixels.Pointer),
            () => one.Conv2dForward(g, x, filters, null, tiles));
        float[] expected = plain.ToArray()[..(plain.Length / Batch * PlainImages)];
        RequireClose(expected, pixels.ToArray());
        RequireClose(expected, tiles.ToArray());
        Add("plain loops", 1, seconds[0] * Batch / PlainImages);
        Add("vectors of channels, a pixel at a time", 1, seconds[1]);
        Add("register tiles of 8 pixels x 32 channels", 1, seconds[2]);
        foreach (int threads in settings.Threads.Where(count => count > 1))
        {
            peak = FmaPeak.Measure(threads);
            using var many = new CpuDevice(threads);
            Action forward = () => many.Conv2dForward(g, x, filters, null, tiles);
            Add("register tiles, threads share the images", threads, Timing.Interleaved(settings.Rounds, forward)[0]);
        }

        return [table];

        void Add(string step, int threads, double time)
        {
            double rate = 2.0 * g.MultiplyAdds / time / 1e9;
            table.Add(step, threads, time * 1e3, rate, rate / peak);
        }
    }

    private static void PlainLoops(in Conv2dGeometry g, float* x, float* filters, float* y)
    {
        for (int n = 0; n < g.Batch; n++)
        {
            for (int row = 0; row < g.OutHeight; row++)
            {
                for (int column = 0; column < g.OutWidth; column++)
                {
                    for (int o = 0; o < g.OutChannels; o++)
                    {
                        float sum = 0;
                        for (int kh = 0; kh < g.KernelHeight; kh++)
                        {
                            for (int kw = 0; kw < g.KernelWidth; kw++)
                            {
                                int iy = row + kh - g.Padding, ix = column + kw - g.Padding;
                                if (iy < 0 || iy >= g.Height || ix < 0 || ix >= g.Width)
                                {
                                    continue;
                                }

                                float* pixel = x + ((((n * g.Height) + iy) * g.Width) + ix) * g.InChannels;
                                float* filter = filters + ((((o * g.KernelHeight) + kh) * g.KernelWidth) + kw) * g.InChannels;
                                for (int c = 0; c < g.InChannels; c++)
                                {
                                    sum += pixel[c] * filter[c];
                                }
                            }
                        }

                        *y++ = sum;
                    }
                }
            }
        }
    }

    /// <summary>The library's packed panels and zero margins, but tiles of one pixel: every vector of weights that is loaded serves one multiply-add.</summary>
    private static void PixelByPixel(in Conv2dGeometry g, float* x, float* filters, float* y)
    {
        int taps = g.KernelHeight * g.KernelWidth, depth = taps * g.InChannels;
        int paddedColumns = g.Width + (2 * g.Padding), paddedRows = g.Height + (2 * g.Padding);
        var panels = new float[depth * g.OutChannels];
        for (int i = 0; i < panels.Length; i++)
        {
            int o = i / depth, k = i % depth;
            panels[(((o / RegisterTile.Columns * depth) + k) * RegisterTile.Columns) + (o % RegisterTile.Columns)] = filters[i];
        }

        int* offsets = stackalloc int[taps];
        for (int tap = 0; tap < taps; tap++)
        {
            offsets[tap] = ((tap / g.KernelWidth * paddedColumns) + (tap % g.KernelWidth)) * g.InChannels;
        }

        var padded = new float[paddedRows * paddedColumns * g.InChannels];
        fixed (float* panel = panels, image = padded)
        {
            for (int n = 0; n < g.Batch; n++)
            {
                float* from = x + (n * g.Height * g.Width * g.InChannels);
                ConvolutionPass.Pad(from, g.Height, g.Width, g.InChannels, g.Padding, g.Padding, paddedRows, paddedColumns, image);
                for (int o = 0; o < g.OutChannels; o += RegisterTile.Columns)
                {
                    for (int pixel = 0; pixel < g.OutHeight * g.OutWidth; pixel++)
                    {
                        float* source = image + (((pixel / g.OutWidth * paddedColumns) + (pixel % g.OutWidth)) * g.InChannels);
                        float* target = y + ((((n * g.OutHeight * g.OutWidth) + pixel) * g.OutChannels) + o);
                        RegisterTile.Multiply(
                            source, g.InChannels, offsets, taps, g.InChannels, panel + (o * depth), null, false, false,
                            target, g.OutChannels, 1, RegisterTile.Columns);
                    }
                }
            }
        }
    }

    private static void RequireClose(float[] expected, float[] values)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(values[i] - expected[i]) < 1e-2))
            {
                throw new InvalidOperationException($"the steps differ: {values[i]} instead of {expected[i]}");
            }
        }
    }
}
