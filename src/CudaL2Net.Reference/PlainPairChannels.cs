namespace CudaL2Net.Reference;

internal static partial class Plain
{
    /// <summary>The channels of two rows side by side: x [2p][pixels][c] to y [2p][pixels][2c]; rows below p match, the others do not.</summary>
    public static double[] PairChannels(int pairs, int pixels, int channels, double[] x) =>
        [.. Enumerable.Range(0, 4 * pairs * pixels * channels).Select(i => x[PairSource(pairs, pixels, channels, i)])];

    /// <summary>The gradient with respect to x.</summary>
    public static double[] PairChannelsGradient(int pairs, int pixels, int channels, double[] dy)
    {
        var dx = new double[2 * pairs * pixels * channels];
        for (int i = 0; i < dy.Length; i++)
        {
            dx[PairSource(pairs, pixels, channels, i)] += dy[i];
        }

        return dx;
    }

    /// <summary>Which value of x value <paramref name="i"/> of y is.</summary>
    private static int PairSource(int pairs, int pixels, int channels, int i)
    {
        int channel = i % (2 * channels), pixel = i / (2 * channels) % pixels, row = i / (2 * channels) / pixels, pair = row % pairs;
        int source = channel < channels ? pair : pairs + (row < pairs ? pair : (pair + 1) % pairs);
        return (((source * pixels) + pixel) * channels) + (channel % channels);
    }
}
