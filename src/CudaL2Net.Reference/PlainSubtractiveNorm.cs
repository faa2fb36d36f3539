namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] SubtractiveNorm(int height, int width, int channels, double[] weights, double[] x)
    {
        double[] y = [.. x];
        ForEachNeighbour(height, width, channels, weights, x.Length, (pixel, neighbour, share) =>
        {
            for (int c = 0; c < channels * channels; c++)
            {
                y[pixel + (c / channels)] -= share * x[neighbour + (c % channels)];
            }
        });
        return y;
    }

    public static double[] SubtractiveNormGradient(int height, int width, int channels, double[] weights, double[] dy)
    {
        double[] dx = [.. dy];
        ForEachNeighbour(height, width, channels, weights, dy.Length, (pixel, neighbour, share) =>
        {
            for (int c = 0; c < channels * channels; c++)
            {
                dx[neighbour + (c % channels)] -= share * dy[pixel + (c / channels)];
            }
        });
        return dx;
    }

    /// <summary>Visits each pixel's neighbours inside the image: the offsets of both pixels, and the share of each of the neighbour's channels in the mean.</summary>
    private static void ForEachNeighbour(int height, int width, int channels, double[] weights, int length, Action<int, int, double> visit)
    {
        int kernel = (int)Math.Sqrt(weights.Length), area = height * width;
        for (int pixel = 0; pixel < length / channels; pixel++)
        {
            (int image, int row, int column) = (pixel / area, pixel % area / width, pixel % width);
            var inside = new List<(int Neighbour, double Weight)>();
            for (int tap = 0; tap < weights.Length; tap++)
            {
                int r = row + (tap / kernel) - (kernel / 2), c = column + (tap % kernel) - (kernel / 2);
                if (r >= 0 && r < height && c >= 0 && c < width)
                {
                    inside.Add(((image * area) + (r * width) + c, weights[tap]));
                }
            }

            double total = inside.Sum(neighbour => neighbour.Weight) * channels;
            inside.ForEach(neighbour => visit(pixel * channels, neighbour.Neighbour * channels, neighbour.Weight / total));
        }
    }
}
