using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    /// <summary>The output with the batch's own statistics; the running statistics are moved in place.</summary>
    public static double[] BatchNorm(BatchNormOptions options, double[] x, int channels, double[]? scale, double[]? shift, double[] runningMean,
        double[] runningVariance)
    {
        var y = new double[x.Length];
        int rows = x.Length / channels / options.Halves;
        for (int half = 0; half < options.Halves; half++)
        {
            for (int c = 0; c < channels; c++)
            {
                (double mean, double variance) = Moments(x, half, rows, channels, c);
                runningMean[c] += options.Momentum * (mean - runningMean[c]);
                runningVariance[c] += options.Momentum * ((variance * rows / Math.Max(1, rows - 1)) - runningVariance[c]);
                for (int row = half * rows; row < (half + 1) * rows; row++)
                {
                    double value = (x[(row * channels) + c] - mean) / Math.Sqrt(variance + options.Epsilon);
                    value = ((scale == null ? 1 : scale[c]) * value) + (shift == null ? 0 : shift[c]);
                    y[(row * channels) + c] = options.Relu ? Math.Max(0, value) : value;
                }
            }
        }

        return y;
    }

    public static (double[] X, double[] Scale, double[] Shift) BatchNormGradient(
        BatchNormOptions options, double[] x, int channels, double[]? scale, double[]? shift, double[] dy)
    {
        var dx = new double[x.Length];
        var dScale = new double[channels];
        var dShift = new double[channels];
        int rows = x.Length / channels / options.Halves;
        for (int half = 0; half < options.Halves; half++)
        {
            for (int c = 0; c < channels; c++)
            {
                (double mean, double variance) = Moments(x, half, rows, channels, c);
                double deviation = Math.Sqrt(variance + options.Epsilon), factor = scale == null ? 1 : scale[c], offset = shift == null ? 0 : shift[c];
                double dMean = 0, dVariance = 0;
                for (int row = half * rows; row < (half + 1) * rows; row++)
                {
                    double centred = x[(row * channels) + c] - mean;
                    double g = options.Relu && (factor * centred / deviation) + offset <= 0 ? 0 : dy[(row * channels) + c];
                    dScale[c] += g * centred / deviation;
                    dShift[c] += g;
                    dx[(row * channels) + c] = g * factor / deviation;
                    dMean -= g * factor / deviation;
                    dVariance -= 0.5 * g * factor * centred / (deviation * deviation * deviation);
                }

                for (int row = half * rows; row < (half + 1) * rows; row++)
                {
                    dx[(row * channels) + c] += (dMean + (2 * dVariance * (x[(row * channels) + c] - mean))) / rows;
                }
            }
        }

        return (dx, dScale, dShift);
    }

    private static (double Mean, double Variance) Moments(double[] x, int half, int rows, int channels, int channel)
    {
        double mean = 0, variance = 0;
        for (int row = half * rows; row < (half + 1) * rows; row++)
        {
            mean += x[(row * channels) + channel] / rows;
        }

        for (int row = half * rows; row < (half + 1) * rows; row++)
        {
            variance += (x[(row * channels) + channel] - mean) * (x[(row * channels) + channel] - mean) / rows;
        }

        return (mean, variance);
    }
}
