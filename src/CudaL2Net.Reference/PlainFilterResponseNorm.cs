namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] FilterResponseNorm(int images, int channels, double epsilon, double[] x, double[] scale, double[] shift, double[] threshold)
    {
        var y = new double[x.Length];
        ForEachResponse(images, channels, epsilon, x, (c, inverse, elements) =>
        {
            foreach (int i in elements)
            {
                y[i] = Math.Max((scale[c] * x[i] * inverse) + shift[c], threshold[c]);
            }
        });
        return y;
    }

    public static (double[] X, double[] Scale, double[] Shift, double[] Threshold) FilterResponseNormGradient(int images, int channels, double epsilon,
        double[] x, double[] scale, double[] shift, double[] threshold, double[] dy)
    {
        double[] dx = new double[x.Length], dScale = new double[channels], dShift = new double[channels], dThreshold = new double[channels];
        ForEachResponse(images, channels, epsilon, x, (c, inverse, elements) =>
        {
            double product = 0;
            bool Bounded(int i) => (scale[c] * x[i] * inverse) + shift[c] <= threshold[c];
            foreach (int i in elements)
            {
                double g = Bounded(i) ? 0 : dy[i];
                dThreshold[c] += dy[i] - g;
                dShift[c] += g;
                dScale[c] += g * x[i] * inverse;
                product += g * x[i];
            }

            foreach (int i in elements)
            {
                dx[i] = scale[c] * inverse * ((Bounded(i) ? 0 : dy[i]) - (x[i] * inverse * inverse * product / elements.Length));
            }
        });
        return (dx, dScale, dShift, dThreshold);
    }

    /// <summary>Visits each channel of each image: the channel, 1 / sqrt(nu^2 + epsilon), and its elements.</summary>
    private static void ForEachResponse(int images, int channels, double epsilon, double[] x, Action<int, double, int[]> visit)
    {
        int length = x.Length / images;
        for (int image = 0; image < images; image++)
        {
            for (int c = 0; c < channels; c++)
            {
                int first = (image * length) + c;
                int[] elements = [.. Enumerable.Range(0, length / channels).Select(pixel => first + (pixel * channels))];
                visit(c, 1 / Math.Sqrt(elements.Average(i => x[i] * x[i]) + epsilon), elements);
            }
        }
    }
}
