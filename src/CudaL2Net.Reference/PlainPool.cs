using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Pool(PoolGeometry g, double[] x)
    {
        var y = new double[g.Batch * g.OutHeight * g.OutWidth * g.Channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int[] inside, int counted) = Window(g, i);
            y[i] = g.Options.Kind switch
            {
                PoolKind.Max => inside.Max(at => x[at]),
                PoolKind.Average => inside.Sum(at => x[at]) / counted,
                _ => Math.Sqrt(inside.Sum(at => x[at] * x[at])),
            };
        }

        return y;
    }

    public static double[] PoolGradient(PoolGeometry g, double[] x, double[] dy)
    {
        var dx = new double[x.Length];
        for (int i = 0; i < dy.Length; i++)
        {
            (int[] inside, int counted) = Window(g, i);
            double root = Math.Sqrt(inside.Sum(at => x[at] * x[at]));
            int winner = inside.MaxBy(at => x[at]);
            foreach (int at in inside)
            {
                dx[at] += g.Options.Kind switch
                {
                    PoolKind.Max => at == winner ? dy[i] : 0,
                    PoolKind.Average => dy[i] / counted,
                    _ => root == 0 ? 0 : dy[i] * x[at] / root,
                };
            }
        }

        return dx;
    }

    /// <summary>The elements of x in the window of element i of y, in row order, and the number of pixels that an average divides by.</summary>
    private static (int[] Inside, int Counted) Window(PoolGeometry g, int i)
    {
        (int c, int pixel) = (i % g.Channels, i / g.Channels);
        (int ow, int oh, int n) = (pixel % g.OutWidth, pixel / g.OutWidth % g.OutHeight, pixel / g.OutWidth / g.OutHeight);
        int top = (oh * g.Options.Stride) - g.Options.Padding, left = (ow * g.Options.Stride) - g.Options.Padding;
        int bottom = top + g.Options.Kernel, right = left + g.Options.Kernel, columns = Math.Min(right, g.Width) - Math.Max(left, 0);
        var inside = new int[(Math.Min(bottom, g.Height) - Math.Max(top, 0)) * columns];
        for (int k = 0; k < inside.Length; k++)
        {
            (int row, int column) = (Math.Max(top, 0) + (k / columns), Math.Max(left, 0) + (k % columns));
            inside[k] = (((((n * g.Height) + row) * g.Width) + column) * g.Channels) + c;
        }

        return (inside, (Math.Min(bottom, g.Height + g.Options.Padding) - top) * (Math.Min(right, g.Width + g.Options.Padding) - left));
    }
}
