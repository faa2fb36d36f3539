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
        var inside = new List<int>();
        int counted = 0;
        for (int kh = 0; kh < g.Options.Kernel; kh++)
        {
            for (int kw = 0; kw < g.Options.Kernel; kw++)
            {
                int row = (oh * g.Options.Stride) - g.Options.Padding + kh, column = (ow * g.Options.Stride) - g.Options.Padding + kw;
                counted += row < g.Height + g.Options.Padding && column < g.Width + g.Options.Padding ? 1 : 0;
                if (row >= 0 && row < g.Height && column >= 0 && column < g.Width)
                {
                    inside.Add((((((n * g.Height) + row) * g.Width) + column) * g.Channels) + c);
                }
            }
        }

        return ([.. inside], counted);
    }
}
