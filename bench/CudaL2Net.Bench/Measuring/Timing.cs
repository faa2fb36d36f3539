using System.Diagnostics;

namespace CudaL2Net.Bench.Measuring;

/// <summary>What is made of repeated measurements.</summary>
internal static class Timing
{
    /// <summary>Seconds that the action takes, once.</summary>
    public static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Every sample of the actions' seconds, by the host's clock. They take turns, so that what else the machine does meets all alike; each is first
    /// done once to warm up.</summary>
    /// <param name="rounds">Samples of each.</param>
    /// <param name="pauseMilliseconds">A pause before each sample.</param>
    /// <param name="actions">The actions.</param>
    public static double[][] InTurn(int rounds, int pauseMilliseconds, params ReadOnlySpan<Action> actions)
    {
        foreach (Action action in actions)
        {
            action();
        }

        var seconds = new double[actions.Length][];
        for (int i = 0; i < actions.Length; i++)
        {
            seconds[i] = new double[rounds];
        }

        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                Thread.Sleep(pauseMilliseconds);
                seconds[i][round] = Seconds(actions[i]);
            }
        }

        return seconds;
    }

    /// <summary>The middle of the values, or of the two in the middle the mean.</summary>
    public static double Median(IReadOnlyList<double> values) => Quantile(values, 0.5);

    /// <summary>The distance from the first quartile to the third, as a share of the median: how far samples of the same work lie apart.</summary>
    public static double Spread(IReadOnlyList<double> values) => (Quantile(values, 0.75) - Quantile(values, 0.25)) / Median(values);

    // Linear between the two nearest values.
    private static double Quantile(IReadOnlyList<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        double at = share * (sorted.Length - 1);
        int below = (int)at, above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((at - below) * (sorted[above] - sorted[below]));
    }
}
