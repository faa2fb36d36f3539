using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>Where a training is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps in all.</param>
/// <param name="Loss">The last batch's loss, all terms.</param>
/// <param name="LearningRate">The learning rate of the last step.</param>
/// <param name="PatchesPerSecond">Patches trained a second since the last report; 0 in the first.</param>
/// <param name="Fpr95">The last FPR95 on the validation pairs, 0 to 1; null before the first.</param>
/// <param name="Remaining">The time left at the present speed; null while unknown.</param>
public sealed record TrainingProgress(int Step, int TotalSteps, float Loss, float LearningRate, double PatchesPerSecond, double? Fpr95, TimeSpan? Remaining)
{
    /// <summary>Each term of the last batch's loss, weighted, by its name; <see cref="Loss"/> is their sum.</summary>
    public IReadOnlyDictionary<string, float> Terms { get; init; } = new Dictionary<string, float>();

    /// <summary>Whether <see cref="Fpr95"/> was measured at this step, not at one before.</summary>
    public bool Fpr95IsNew { get; init; }
}

/// <summary>How a training ended.</summary>
/// <param name="Completed">False if it was stopped before its last step; its checkpoint can be resumed.</param>
/// <param name="Steps">Steps done.</param>
/// <param name="TotalSteps">Steps in all.</param>
/// <param name="Loss">The last loss.</param>
/// <param name="Fpr95">FPR95 on the validation pairs at the end, 0 to 1; null without validation data or if stopped.</param>
/// <param name="Model">The network as it is now. One that was cancelled says so (<see cref="ModelFile.Unfinished"/>).</param>
/// <param name="ModelPath">The model file; null if stopped before the end, and for a run in memory.</param>
/// <param name="CheckpointPath">The checkpoint, which is a model file too; null for a run in memory.</param>
public sealed record TrainingResult(
    bool Completed, int Steps, int TotalSteps, float Loss, double? Fpr95, ModelFile Model, string? ModelPath = null, string? CheckpointPath = null);

/// <summary>A training that cannot go on: the loss is not finite, or all descriptors have become alike. The message explains and advises.</summary>
public sealed class TrainingCollapsedException(string message) : Exception(message);
