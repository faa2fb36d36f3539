using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    /// <summary>-1/2 sum_i (log column_ii + log row_ii) of the softmax of z, and its gradient with respect to z.</summary>
    public static (double Value, double[,] Gradient) PairSoftmax(double[,] z)
    {
        int p = z.GetLength(0);
        double value = 0;
        var gradient = new double[p, p];
        for (int i = 0; i < p; i++)
        {
            foreach (bool row in new[] { true, false })
            {
                double maximum = double.NegativeInfinity, sum = 0;
                for (int j = 0; j < p; j++)
                {
                    maximum = Math.Max(maximum, row ? z[i, j] : z[j, i]);
                }

                for (int j = 0; j < p; j++)
                {
                    sum += Math.Exp((row ? z[i, j] : z[j, i]) - maximum);
                }

                value -= 0.5 * (z[i, i] - maximum - Math.Log(sum));
                gradient[i, i] -= 0.5;
                for (int j = 0; j < p; j++)
                {
                    double share = Math.Exp((row ? z[i, j] : z[j, i]) - maximum) / sum;
                    if (row)
                    {
                        gradient[i, j] += 0.5 * share;
                    }
                    else
                    {
                        gradient[j, i] += 0.5 * share;
                    }
                }
            }
        }

        return (value, gradient);
    }

    /// <summary>E1 and its gradient.</summary>
    public static (double Value, double[] Gradient) DistanceSoftmax(double[] y, int pairs)
    {
        int width = y.Length / (2 * pairs);
        var d = new double[pairs, pairs];
        var z = new double[pairs, pairs];
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                double square = 0;
                for (int k = 0; k < width; k++)
                {
                    double difference = y[((pairs + i) * width) + k] - y[(j * width) + k];
                    square += difference * difference;
                }

                d[i, j] = Math.Sqrt(square);
                z[i, j] = 2 - d[i, j];
            }
        }

        (double value, double[,] dz) = PairSoftmax(z);
        var dy = new double[y.Length];
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                for (int k = 0; k < width && d[i, j] > 0; k++)
                {
                    int second = ((pairs + i) * width) + k, first = (j * width) + k;
                    double slope = -dz[i, j] * (y[second] - y[first]) / d[i, j];
                    dy[second] += slope;
                    dy[first] -= slope;
                }
            }
        }

        return (value, dy);
    }

    /// <summary>E3 of one layer and its gradient.</summary>
    public static (double Value, double[] Gradient) IntermediateSoftmax(double similarity, double[] f, int pairs)
    {
        int width = f.Length / (2 * pairs);
        var z = new double[pairs, pairs];
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                for (int k = 0; k < width; k++)
                {
                    z[i, j] += similarity * f[(i * width) + k] * f[((pairs + j) * width) + k];
                }
            }
        }

        (double value, double[,] dz) = PairSoftmax(z);
        var df = new double[f.Length];
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                for (int k = 0; k < width; k++)
                {
                    df[(i * width) + k] += similarity * dz[i, j] * f[((pairs + j) * width) + k];
                    df[((pairs + j) * width) + k] += similarity * dz[i, j] * f[(i * width) + k];
                }
            }
        }

        return (value, df);
    }

    /// <summary>E2.</summary>
    public static double Correlation(CorrelationOptions options, double[] y, int pairs)
    {
        int width = y.Length / (2 * pairs);
        double total = 0;
        for (int half = 0; half < (options.FirstHalfOnly ? 1 : 2); half++)
        {
            (double[] normalized, _) = CorrelationInput(options, y, pairs, width, half);
            foreach (double r in CorrelationMatrix(normalized, pairs, width))
            {
                total += 0.5 * r * r;
            }
        }

        return total;
    }

    public static double[] CorrelationGradient(CorrelationOptions options, double[] y, int pairs)
    {
        int width = y.Length / (2 * pairs);
        var dy = new double[y.Length];
        for (int half = 0; half < (options.FirstHalfOnly ? 1 : 2); half++)
        {
            (double[] normalized, double[] deviation) = CorrelationInput(options, y, pairs, width, half);
            double[,] r = CorrelationMatrix(normalized, pairs, width);
            for (int i = 0; i < width; i++)
            {
                var slope = new double[pairs];
                for (int row = 0; row < pairs; row++)
                {
                    for (int j = 0; j < width; j++)
                    {
                        slope[row] += 2 * r[i, j] * normalized[(row * width) + j] / pairs;
                    }
                }

                double mean = slope.Average(), along = 0;
                for (int row = 0; row < pairs; row++)
                {
                    along += slope[row] * normalized[(row * width) + i] / pairs;
                }

                for (int row = 0; row < pairs; row++)
                {
                    double through = deviation[i] == 0 ? 0 : (slope[row] - mean - (along * normalized[(row * width) + i])) / deviation[i];
                    dy[(((half * pairs) + row) * width) + i] = options.Exact ? through : slope[row];
                }
            }
        }

        return dy;
    }

    public static (double Value, double[] Gradient) GlobalOrthogonal(double[] y, int pairs, int[] negativePair)
    {
        int width = y.Length / (2 * pairs), count = 0;
        double sum = 0, squares = 0;
        var products = new double[pairs];
        for (int i = 0; i < pairs; i++)
        {
            if (negativePair[2 * i] >= 0)
            {
                for (int k = 0; k < width; k++)
                {
                    products[i] += y[(negativePair[2 * i] * width) + k] * y[(negativePair[(2 * i) + 1] * width) + k];
                }

                sum += products[i];
                squares += products[i] * products[i];
                count++;
            }
        }

        var dy = new double[y.Length];
        if (count == 0)
        {
            return (0, dy);
        }

        double mean = sum / count, square = squares / count;
        for (int i = 0; i < pairs; i++)
        {
            for (int k = 0; k < width && negativePair[2 * i] >= 0; k++)
            {
                int a = (negativePair[2 * i] * width) + k, n = (negativePair[(2 * i) + 1] * width) + k;
                double slope = ((2 * mean) + (square > 1.0 / width ? 2 * products[i] : 0)) / count;
                dy[a] += slope * y[n];
                dy[n] += slope * y[a];
            }
        }

        return ((mean * mean) + Math.Max(0, square - (1.0 / width)), dy);
    }

    public static double[] Lrn(LrnOptions options, double[] x)
    {
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            double scale = LrnScale(options, x, i);
            y[i] = scale > 0 ? x[i] * Math.Pow(scale, -options.Beta) : 0;
        }

        return y;
    }

    public static double[] LrnGradient(LrnOptions options, double[] x, double[] dy)
    {
        var dx = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            double scale = LrnScale(options, x, i);
            if (scale > 0)
            {
                dx[i] += dy[i] * Math.Pow(scale, -options.Beta);
                (int first, int last) = LrnWindow(options, i);
                for (int j = first; j <= last; j++)
                {
                    dx[j] -= dy[i] * x[i] * options.Beta * Math.Pow(scale, -options.Beta - 1.0) * 2 * options.Alpha * x[j];
                }
            }
        }

        return dx;
    }

    private static double LrnScale(LrnOptions options, double[] x, int element)
    {
        double sum = 0;
        (int first, int last) = LrnWindow(options, element);
        for (int j = first; j <= last; j++)
        {
            sum += x[j] * x[j];
        }

        return options.Kappa + (options.Alpha * sum);
    }

    private static (int First, int Last) LrnWindow(LrnOptions options, int element)
    {
        int row = element / options.Channels * options.Channels, channel = element - row;
        int before = (options.Window - 1) / 2, after = options.Window - 1 - before;
        return (row + Math.Max(0, channel - before), row + Math.Min(options.Channels - 1, channel + after));
    }

    private static (double[] Normalized, double[] Deviation) CorrelationInput(CorrelationOptions options, double[] y, int pairs, int width, int half)
    {
        double[] values = y[(half * pairs * width)..((half + 1) * pairs * width)];
        var deviation = new double[width];
        for (int k = 0; k < width && options.Exact; k++)
        {
            double mean = 0, variance = 0;
            for (int row = 0; row < pairs; row++)
            {
                mean += values[(row * width) + k] / pairs;
            }

            for (int row = 0; row < pairs; row++)
            {
                variance += (values[(row * width) + k] - mean) * (values[(row * width) + k] - mean) / pairs;
            }

            deviation[k] = Math.Sqrt(variance);
            for (int row = 0; row < pairs; row++)
            {
                values[(row * width) + k] = variance == 0 ? 0 : (values[(row * width) + k] - mean) / deviation[k];
            }
        }

        return (values, deviation);
    }

    /// <summary>R with a diagonal of 0.</summary>
    private static double[,] CorrelationMatrix(double[] values, int pairs, int width)
    {
        var r = new double[width, width];
        for (int i = 0; i < width; i++)
        {
            for (int j = 0; j < width; j++)
            {
                for (int row = 0; row < pairs && i != j; row++)
                {
                    r[i, j] += values[(row * width) + i] * values[(row * width) + j] / pairs;
                }
            }
        }

        return r;
    }
}
