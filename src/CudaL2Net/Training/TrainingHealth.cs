using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>Notices a training that cannot go on, and says what to try.</summary>
/// <param name="options">The run's settings.</param>
/// <param name="folder">Where its last checkpoint is; null for a run in memory.</param>
internal sealed class TrainingHealth(TrainingOptions options, string? folder)
{
    private const double LeastSpread = 0.01, StuckFpr95 = 0.8;

    private float Rate => options.Optimizer.LearningRate;

    private string Kept => folder == null ? "" : $"; the last checkpoint is still in {folder}";

    /// <summary>Checks what was read of a step.</summary>
    /// <exception cref="TrainingCollapsedException">The loss is not finite, or all descriptors are alike.</exception>
    public void Check(StepReading reading, int step, float firstLoss)
    {
        if (!float.IsFinite(reading.Loss))
        {
            throw new TrainingCollapsedException(
                $"the loss is {reading.Loss} at step {step}: the training has diverged. Try a smaller learning rate (it was {Rate}){Kept}");
        }

        if (reading.DescriptorSpread < LeastSpread)
        {
            throw new TrainingCollapsedException(
                $"all descriptors are alike at step {step} (loss {reading.Loss:F4}, {firstLoss:F4} at first): the network has collapsed. Try another seed, a smaller "
                    + $"learning rate (it was {Rate}) or a larger batch");
        }
    }

    /// <summary>Checks a validation.</summary>
    /// <exception cref="TrainingCollapsedException">Late in the run the network still tells nothing apart.</exception>
    public void Check(double fpr95, int step, int totalSteps)
    {
        if (fpr95 > StuckFpr95 && step >= Math.Max(200, totalSteps / 5))
        {
            throw new TrainingCollapsedException(
                $"FPR95 on the validation pairs is still {fpr95:P1} at step {step} of {totalSteps}: the training is stuck. Try another seed or learning rate (it was "
                    + $"{Rate})");
        }
    }

    /// <summary>Checks weights before they are saved.</summary>
    /// <exception cref="TrainingCollapsedException">One is not finite.</exception>
    public void Check(NetworkWeights weights, int step)
    {
        IEnumerable<LayerWeights> layers = weights.Towers.SelectMany(tower => tower.Layers).Concat(weights.Head);
        if (layers.Any(layer => layer.Names.Any(name => layer[name].Any(value => !float.IsFinite(value)))))
        {
            throw new TrainingCollapsedException(
                $"a weight is not finite at step {step}: the training has diverged. Try a smaller learning rate (it was {Rate}){Kept}");
        }
    }
}
