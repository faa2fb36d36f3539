using BenchmarkDotNet.Attributes;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>
/// What the steps of the convolution's design gain, on L2-Net's fourth layer: from plain loops to the library's kernel. All but the last know one thread only.
/// </summary>
public unsafe class LadderSuite : OperationSuite
{
    private const int Batch = 64, Layer = 3;

    // Plain loops are slow, and take as long for every image.
    private const int PlainImages = 4;

    private readonly Conv2dGeometry geometry = L2NetLayers.Of(Batch)[Layer];
    private readonly Conv2dGeometry few = L2NetLayers.Of(PlainImages)[Layer];
    private Tensor<float> x = null!, filters = null!, y = null!;

    public override double Flop(string benchmark) => 2.0 * (benchmark == nameof(PlainLoops) ? few : geometry).MultiplyAdds;

    [Benchmark]
    public void PlainLoops() => Plain(few, x.Pointer, filters.Pointer, y.Pointer);

    [Benchmark]
    public void VectorsOfChannels() => Sweep(geometry, x.Pointer, filters.Pointer, y.Pointer, inTiles: false);

    [Benchmark]
    public void RegisterTiles() => Sweep(geometry, x.Pointer, filters.Pointer, y.Pointer, inTiles: true);

    [Benchmark]
    public void Winograd() => Kernels.Conv2dForward(geometry, x, filters, null, y);

    protected override void Allocate()
    {
        x = Inputs.Gaussian(Batch, geometry.Height, geometry.Width, geometry.InChannels);
        filters = Inputs.Gaussian(geometry.OutChannels, geometry.KernelHeight, geometry.KernelWidth, geometry.InChannels);
        y = Inputs.Empty<float>(Batch, geometry.OutHeight, geometry.OutWidth, geometry.OutChannels);
        PlainLoops();
        float[] expected = y.Rows(0, PlainImages).ToArray();
        foreach (Action step in new Action[] { VectorsOfChannels, RegisterTiles, Winograd })
        {
            step();
            RequireClose(expected, y.Rows(0, PlainImages).ToArray());
        }
    }

    private static void Plain(in Conv2dGeometry g, float* x, float* filters, float* y)
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

    /// <summary>
    /// The library's packed panels and zero margins; without tiles pixel by pixel, so that every vector of weights that is loaded serves one multiply-add.
    /// </summary>
    private static void Sweep(in Conv2dGeometry g, float* x, float* filters, float* y, bool inTiles)
    {
        int taps = g.KernelHeight * g.KernelWidth, depth = taps * g.InChannels;
        int paddedColumns = g.Width + (2 * g.Padding), paddedRows = g.Height + (2 * g.Padding);
        var panels = new float[depth * g.OutChannels];
        for (int i = 0; i < panels.Length; i++)
        {
            int o = i / depth, k = i % depth;
            panels[(((o / RegisterTile.Columns * depth) + k) * RegisterTile.Columns) + (o % RegisterTile.Columns)] = filters[i];
        }

        int* offsets = stackalloc int[g.KernelHeight];
        for (int row = 0; row < g.KernelHeight; row++)
        {
            offsets[row] = row * paddedColumns * g.InChannels;
        }

        var images = new ActivationReader { X = x, Rows = g.Height, Columns = g.Width, Channels = g.InChannels, Count = g.Batch, ItemsPerHalf = g.Batch };
        var padded = new float[paddedRows * paddedColumns * g.InChannels];
        fixed (float* panel = panels, image = padded)
        {
            var pass = new ConvolutionPass
            {
                Rows = g.OutHeight,
                Columns = g.OutWidth,
                SourceRowStride = paddedColumns * g.InChannels,
                SourcePixelStride = g.InChannels,
                TargetRowStride = g.OutWidth * g.OutChannels,
                TargetPixelStride = g.OutChannels,
                Taps = g.KernelHeight,
                Offsets = offsets,
                Channels = g.KernelWidth * g.InChannels,
                OutChannels = g.OutChannels,
                Panels = panel,
            };
            for (int n = 0; n < g.Batch; n++)
            {
                images.Read(n, 0, g.InChannels, g.Padding, paddedRows, paddedColumns, image);
                float* target = y + (n * g.OutHeight * g.OutWidth * g.OutChannels);
                if (inTiles)
                {
                    pass.Run(1, image, 0, target, 0);
                    continue;
                }

                for (int o = 0; o < g.OutChannels; o += RegisterTile.Columns)
                {
                    for (int pixel = 0; pixel < g.OutHeight * g.OutWidth; pixel++)
                    {
                        float* source = image + (((pixel / g.OutWidth * paddedColumns) + (pixel % g.OutWidth)) * g.InChannels);
                        RegisterTile.Multiply(source, g.InChannels, offsets, pass.Taps, pass.Channels, panel + (o * depth), null, false, false,
                            target + (pixel * g.OutChannels) + o, g.OutChannels, 1, RegisterTile.Columns);
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
