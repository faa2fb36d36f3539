namespace CudaL2Net.Kernels;

/// <summary>
/// Subtractive normalization (Torch's SpatialSubtractiveNormalization, as in DeepDesc): minus the weighted mean of each pixel's neighbourhood, over all
/// channels. At a border the mean is that of what lies inside the image. Weights are [kernel][kernel], kernel odd; their scale does not matter.
/// </summary>
public static class SubtractiveNorm
{
    /// <summary>The weights of a Gaussian whose deviation is a quarter of the kernel, as Torch's <c>image.gaussian</c> makes it; their sum is 1.</summary>
    /// <param name="kernel">Pixels on a side, odd.</param>
    /// <returns>[kernel][kernel].</returns>
    /// <exception cref="ArgumentOutOfRangeException">The kernel is even or below 1.</exception>
    public static float[] GaussianWeights(int kernel)
    {
        if (kernel < 1 || kernel % 2 == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(kernel), kernel, "a neighbourhood has a pixel in its middle: its side is odd");
        }

        double deviation = 0.25 * kernel, sum = 0;
        var weights = new double[kernel * kernel];
        for (int i = 0; i < weights.Length; i++)
        {
            int down = (i / kernel) - (kernel / 2), right = (i % kernel) - (kernel / 2);
            sum += weights[i] = Math.Exp(-((down * down) + (right * right)) / (2 * deviation * deviation));
        }

        return Array.ConvertAll(weights, weight => (float)(weight / sum));
    }
}
