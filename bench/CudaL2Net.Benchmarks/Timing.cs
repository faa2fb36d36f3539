using System.Diagnostics;

namespace CudaL2Net.Benchmarks;

/// <summary>Medians of repeated measurements.</summary>
internal static class Timing
{
    /// <summary>Seconds that the action takes, once.</summary>
    public static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>
    /// Of each action the median seconds over the rounds. The actions take turns, so that what else the machine does meets all alike; each is first run once
    /// to warm up.
    /// </summary>
    /// <param name="rounds">Rounds that are measured.</param>
    /// <param name="actions">The actions.</param>
    public static double[] Interleaved(int rounds, params ReadOnlySpan<Action> actions) => Interleaved(rounds, 0, actions);

    /// <summary>The same with a pause before each measurement.</summary>
    public static double[] Interleaved(int rounds, int pauseMilliseconds, params ReadOnlySpan<Action> actions)
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

        return [.. seconds.Select(Median)];
    }

    public static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
