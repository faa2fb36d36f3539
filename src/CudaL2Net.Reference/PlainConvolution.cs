using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Conv2d(Conv2dGeometry g, double[] x, double[] filters, double[]? bias)
    {
        var y = new double[g.Batch * g.OutHeight * g.OutWidth * g.OutChannels];
        ForEachProduct(g, (input, filter, output) => y[output] += x[input] * filters[filter]);
        for (int i = 0; i < y.Length && bias != null; i++)
        {
            y[i] += bias[i % g.OutChannels];
        }

        return y;
    }

    public static double[] Conv2dBackwardData(Conv2dGeometry g, double[] dy, double[] filters)
    {
        var dx = new double[g.Batch * g.Height * g.Width * g.InChannels];
        ForEachProduct(g, (input, filter, output) => dx[input] += dy[output] * filters[filter]);
        return dx;
    }

    public static (double[] Filters, double[] Bias) Conv2dBackwardFilter(Conv2dGeometry g, double[] x, double[] dy)
    {
        var filters = new double[g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels];
        var bias = new double[g.OutChannels];
        ForEachProduct(g, (input, filter, output) => filters[filter] += x[input] * dy[output]);
        for (int i = 0; i < dy.Length; i++)
        {
            bias[i % g.OutChannels] += dy[i];
        }

        return (filters, bias);
    }

    /// <summary>Visits every product of a convolution by the offsets of its three elements.</summary>
    private static void ForEachProduct(Conv2dGeometry g, Action<int, int, int> visit)
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
                            if (h < 0 || h >= g.Height || w < 0 || w >= g.Width)
                            {
                                continue;
                            }

                            int pixel = (((n * g.Height) + h) * g.Width) + w, outPixel = (((n * g.OutHeight) + oh) * g.OutWidth) + ow;
                            for (int o = 0; o < g.OutChannels; o++)
                            {
                                for (int c = 0; c < g.InChannels; c++)
                                {
                                    int filter = (((((o * g.KernelHeight) + kh) * g.KernelWidth) + kw) * g.InChannels) + c;
                                    visit((pixel * g.InChannels) + c, filter, (outPixel * g.OutChannels) + o);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
