using System.Numerics;
using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Conv2d(Conv2dGeometry g, double[] x, double[] filters, double[]? bias)
    {
        var y = new double[g.Batch * g.OutHeight * g.OutWidth * g.OutChannels];
        ForEachTap(g, (pixel, tap, outPixel) =>
        {
            for (int o = 0; o < g.OutChannels; o++)
            {
                y[outPixel + o] += Dot(x.AsSpan(pixel, g.InChannels), filters.AsSpan(tap + (o * FilterLength(g)), g.InChannels));
            }
        });
        for (int i = 0; i < y.Length && bias != null; i++)
        {
            y[i] += bias[i % g.OutChannels];
        }

        return y;
    }

    public static double[] Conv2dBackwardData(Conv2dGeometry g, double[] dy, double[] filters)
    {
        var dx = new double[g.Batch * g.Height * g.Width * g.InChannels];
        ForEachTap(g, (pixel, tap, outPixel) =>
        {
            for (int o = 0; o < g.OutChannels; o++)
            {
                AddScaled(dx.AsSpan(pixel, g.InChannels), dy[outPixel + o], filters.AsSpan(tap + (o * FilterLength(g)), g.InChannels));
            }
        });
        return dx;
    }

    public static (double[] Filters, double[] Bias) Conv2dBackwardFilter(Conv2dGeometry g, double[] x, double[] dy)
    {
        var filters = new double[g.OutChannels * FilterLength(g)];
        var bias = new double[g.OutChannels];
        ForEachTap(g, (pixel, tap, outPixel) =>
        {
            for (int o = 0; o < g.OutChannels; o++)
            {
                AddScaled(filters.AsSpan(tap + (o * FilterLength(g)), g.InChannels), dy[outPixel + o], x.AsSpan(pixel, g.InChannels));
            }
        });
        for (int i = 0; i < dy.Length; i++)
        {
            bias[i % g.OutChannels] += dy[i];
        }

        return (filters, bias);
    }

    private static int FilterLength(Conv2dGeometry g) => g.KernelHeight * g.KernelWidth * g.InChannels;

    /// <summary>
    /// Visits every pixel that an output pixel reads, by the offsets of the first channels: of the pixel, of the weights for it in the first filter, and of the
    /// output pixel.
    /// </summary>
    private static void ForEachTap(Conv2dGeometry g, Action<int, int, int> visit)
    {
        for (int n = 0; n < g.Batch; n++)
        {
            for (int oh = 0; oh < g.OutHeight; oh++)
            {
                for (int ow = 0; ow < g.OutWidth; ow++)
                {
                    for (int kh = 0; kh < g.KernelHeight; kh++)
                    {
                        for (int kw = 0; kw < g.KernelWidth; kw++)
                        {
                            int h = (oh * g.Stride) + kh - g.Padding, w = (ow * g.Stride) + kw - g.Padding;
                            if (h >= 0 && h < g.Height && w >= 0 && w < g.Width)
                            {
                                visit(((((n * g.Height) + h) * g.Width) + w) * g.InChannels, ((kh * g.KernelWidth) + kw) * g.InChannels,
                                    ((((n * g.OutHeight) + oh) * g.OutWidth) + ow) * g.OutChannels);
                            }
                        }
                    }
                }
            }
        }
    }

    // In vectors: the tests wait for nothing else as long.
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sums = Vector<double>.Zero;
        int i = 0;
        for (; i <= a.Length - Vector<double>.Count; i += Vector<double>.Count)
        {
            sums += new Vector<double>(a[i..]) * new Vector<double>(b[i..]);
        }

        double sum = Vector.Sum(sums);
        for (; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static void AddScaled(Span<double> to, double factor, ReadOnlySpan<double> values)
    {
        int i = 0;
        for (; i <= to.Length - Vector<double>.Count; i += Vector<double>.Count)
        {
            (new Vector<double>(to[i..]) + (factor * new Vector<double>(values[i..]))).CopyTo(to[i..]);
        }

        for (; i < to.Length; i++)
        {
            to[i] += factor * values[i];
        }
    }
}
