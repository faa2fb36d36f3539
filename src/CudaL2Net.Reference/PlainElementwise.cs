using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Reference;

/// <summary>Every operation once more, in double precision and obvious loops, sharing nothing with the library's kernels.</summary>
internal static partial class Plain
{
    public static double[] Relu(double[] x) => Array.ConvertAll(x, value => value > 0 ? value : 0);

    public static double[] ReluGradient(double[] x, double[] dy)
    {
        var dx = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            dx[i] = x[i] > 0 ? dy[i] : 0;
        }

        return dx;
    }

    public static double[] Dropout(double rate, ulong seed, uint step, double[] x, int layer = 0)
    {
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            (uint a, uint b, uint c, uint d) = Philox.Draw(seed, DrawPurpose.Dropout, step, ((ulong)layer << 32) + (ulong)(i / 4));
            uint word = new[] { a, b, c, d }[i % 4];
            y[i] = (word >> 8) / 16777216.0 < rate ? 0 : x[i] / (1 - rate);
        }

        return y;
    }

    public static double[] UnitVector(double[] x, int width)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length / width; row++)
        {
            double square = 1e-10;
            for (int k = 0; k < width; k++)
            {
                square += x[(row * width) + k] * x[(row * width) + k];
            }

            for (int k = 0; k < width; k++)
            {
                y[(row * width) + k] = x[(row * width) + k] / Math.Sqrt(square);
            }
        }

        return y;
    }

    public static double[] UnitVectorGradient(double[] x, double[] dy, int width)
    {
        var dx = new double[x.Length];
        for (int row = 0; row < x.Length / width; row++)
        {
            double square = 1e-10, product = 0;
            for (int k = row * width; k < (row + 1) * width; k++)
            {
                square += x[k] * x[k];
                product += x[k] * dy[k];
            }

            for (int k = row * width; k < (row + 1) * width; k++)
            {
                dx[k] = (dy[k] / Math.Sqrt(square)) - (x[k] * product / Math.Pow(square, 1.5));
            }
        }

        return dx;
    }

    public static (double[] Velocity, double[] Parameter) Sgd(SgdOptions options, uint step, double rate, double[] gradient, double[] velocity,
        double[] parameter)
    {
        var v = new double[velocity.Length];
        var w = new double[velocity.Length];
        for (int i = 0; i < v.Length; i++)
        {
            double g = gradient[i] + (options.WeightDecay * parameter[i]);
            v[i] = step == 0 ? g : (options.Momentum * velocity[i]) + ((1 - options.Dampening) * g);
            w[i] = parameter[i] - (rate * v[i]);
        }

        return (v, w);
    }

    public static (double[] First, double[] Second, double[] Parameter) Adam(
        AdamOptions options, uint step, double rate, double[] gradient, double[] first, double[] second, double[] parameter)
    {
        var m = new double[first.Length];
        var s = new double[first.Length];
        var w = new double[first.Length];
        for (int i = 0; i < m.Length; i++)
        {
            m[i] = (options.Beta1 * first[i]) + ((1 - options.Beta1) * gradient[i]);
            s[i] = (options.Beta2 * second[i]) + ((1 - options.Beta2) * gradient[i] * gradient[i]);
            double mean = m[i] / (1 - Math.Pow(options.Beta1, step + 1.0)), square = s[i] / (1 - Math.Pow(options.Beta2, step + 1.0));
            w[i] = (parameter[i] * (1 - (rate * options.WeightDecay))) - (rate * mean / (Math.Sqrt(square) + options.Epsilon));
        }

        return (m, s, w);
    }
}
