using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Combine(double a, double[] x, double b, double[]? y, double c) => [.. x.Select((v, i) => (a * v) + (y == null ? 0 : b * y[i]) + c)];

    public static double[] Multiply(double[] x, double[] y) => [.. x.Zip(y, (u, v) => u * v)];

    public static double[] Function(ElementFunction function, double[] x) => Array.ConvertAll(x, v => function switch
    {
        ElementFunction.Exp => Math.Exp(v),
        ElementFunction.Log => Math.Log(v),
        ElementFunction.SquareRoot => Math.Sqrt(v),
        _ => throw new ArgumentOutOfRangeException(nameof(function)),
    });

    public static double[] FunctionGradient(ElementFunction function, double[] x, double[] dy) => [.. x.Select((v, i) => dy[i] * function switch
    {
        ElementFunction.Exp => Math.Exp(v),
        ElementFunction.Log => 1 / v,
        ElementFunction.SquareRoot => 0.5 / Math.Sqrt(v),
        _ => throw new ArgumentOutOfRangeException(nameof(function)),
    })];

    public static double[] RowDots(double[] x, double[]? y, int rows)
    {
        var sums = new double[rows];
        for (int i = 0; i < x.Length; i++)
        {
            sums[i / (x.Length / rows)] += x[i] * (y == null ? 1 : y[i]);
        }

        return sums;
    }

    /// <summary>x, or 1 where it is null, each row times its factor.</summary>
    public static double[] ScaleRows(double[] factors, double[]? x, int width) =>
        [.. Enumerable.Range(0, factors.Length * width).Select(i => factors[i / width] * (x == null ? 1 : x[i]))];

    /// <summary>[n][m], the products of rows of <paramref name="width"/> values.</summary>
    public static double[] InnerProducts(double[] x, double[] y, int width)
    {
        int n = x.Length / width, m = y.Length / width;
        var products = new double[n * m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                for (int k = 0; k < width; k++)
                {
                    products[(i * m) + j] += x[(i * width) + k] * y[(j * width) + k];
                }
            }
        }

        return products;
    }

    public static (double[] X, double[] Y) InnerProductsGradient(double[] x, double[] y, int width, double[] dProducts)
    {
        int n = x.Length / width, m = y.Length / width;
        double[] dx = new double[x.Length], dy = new double[y.Length];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                for (int k = 0; k < width; k++)
                {
                    dx[(i * width) + k] += dProducts[(i * m) + j] * y[(j * width) + k];
                    dy[(j * width) + k] += dProducts[(i * m) + j] * x[(i * width) + k];
                }
            }
        }

        return (dx, dy);
    }
}
