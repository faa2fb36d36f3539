using System.Globalization;

namespace CudaL2Net.Networks;

/// <summary>Where a training is, as the metadata of its checkpoint say.</summary>
/// <param name="Step">Steps done, from 0 to all.</param>
/// <param name="TotalSteps">Steps in all, at least 1.</param>
internal readonly record struct TrainingPosition(int Step, int TotalSteps)
{
    private const string StepKey = "step", TotalKey = "total_steps";

    /// <summary>The entries of the metadata.</summary>
    public static IReadOnlyList<string> Keys { get; } = [StepKey, TotalKey];

    /// <summary>Whether all steps are done.</summary>
    public bool IsEnd => Step == TotalSteps;

    /// <summary>The position in the metadata of a file; null where they have none.</summary>
    /// <param name="metadata">The metadata.</param>
    /// <param name="name">What errors call the file.</param>
    /// <exception cref="InvalidDataException">There is one that no training can have.</exception>
    public static TrainingPosition? Find(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (!metadata.ContainsKey(StepKey) && !metadata.ContainsKey(TotalKey))
        {
            return null;
        }

        int total = Number(TotalKey, 1, int.MaxValue);
        return new TrainingPosition(Number(StepKey, 0, total), total);

        int Number(string key, int least, int most) =>
            int.TryParse(metadata.GetValueOrDefault(key), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
                ? value
                : throw new InvalidDataException(
                    $"{name}: metadata '{key}' is '{metadata.GetValueOrDefault(key, "missing")}', expected a number of steps from {least} to {most}");
    }

    /// <summary>Adds the position to metadata.</summary>
    public void Write(Dictionary<string, string> metadata)
    {
        metadata[StepKey] = Step.ToString(CultureInfo.InvariantCulture);
        metadata[TotalKey] = TotalSteps.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary><c>step k of n</c>.</summary>
    public override string ToString() => $"step {Step} of {TotalSteps}";
}
