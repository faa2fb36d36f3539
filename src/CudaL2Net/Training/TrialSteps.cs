using System.Diagnostics;
using CudaL2Net.Kernels;

namespace CudaL2Net.Training;

/// <summary>Measures how fast a training is by a few steps.</summary>
internal static class TrialSteps
{
    // The first run of a recorded step is an ordinary one, the second records it.
    private const int WarmUpSteps = 2;
    private const int StepsAtOnce = 4;

    private static readonly TimeSpan ShortestTrial = TimeSpan.FromSeconds(0.2);

    /// <summary>Runs some steps; returns how many fit into a duration, at least 1.</summary>
    /// <param name="duration">The duration.</param>
    /// <param name="step">The step, with an epoch loaded; after its end the last of its entries stays.</param>
    /// <param name="device">Where it runs.</param>
    public static int Within(TimeSpan duration, TrainingStep step, Device device)
    {
        for (int i = 0; i < WarmUpSteps; i++)
        {
            step.Run();
        }

        device.Synchronize();
        var watch = Stopwatch.StartNew();
        int steps = 0;
        while (steps == 0 || watch.Elapsed < ShortestTrial)
        {
            for (int i = 0; i < StepsAtOnce; i++)
            {
                step.Run();
            }

            device.Synchronize();
            steps += StepsAtOnce;
        }

        return (int)Math.Clamp(duration.TotalSeconds * steps / watch.Elapsed.TotalSeconds, 1, 100_000_000);
    }
}
