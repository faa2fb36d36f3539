using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Sources;

namespace CudaL2Net.Cli.Runs;

/// <summary>The patches of a training.</summary>
/// <param name="Training">The training set.</param>
/// <param name="Validation">For FPR95; null for none.</param>
/// <param name="Description">What the training set is, for people.</param>
internal sealed record TrainingData(PatchSet Training, PatchSet? Validation, string Description)
{
    /// <summary>Scenes other than those that <c>--data synthetic</c> trains on.</summary>
    public const string DefaultValidation = "synthetic";

    /// <summary>No validation.</summary>
    public const string NoValidation = "none";

    // Scenes and pairs do not depend on the training's seed, so that runs with several seeds share the cache.
    private const ulong TrainingSeed = 1, ValidationSeed = 2;

    /// <summary>Makes or loads the patches, with a progress display; says what was left out.</summary>
    /// <param name="run">The training.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <param name="terminal">Where progress is shown.</param>
    /// <param name="stop">Stops the making of patches.</param>
    /// <param name="validationPoints">Points of the validation set.</param>
    public static TrainingData Load(TrainingRun run, int threads, Terminal terminal, CancellationToken stop, int validationPoints = 2000)
    {
        PatchParts parts = run.Options.Network.Parts;
        SourceResult training = Open("training", run.Data, run.Points, TrainingSeed, run.Patches with { Parts = parts }, threads, terminal, stop);

        // Made with the usual settings, so that FPR95 can be compared between trainings.
        var usual = new PairOptions { Parts = parts, PatchScale = run.Patches.PatchScale };
        SourceResult? validation = run.Validation == NoValidation
            ? null
            : Open("validation", run.Validation, validationPoints, ValidationSeed, usual, threads, terminal, stop);
        return new TrainingData(training.Patches, validation?.Patches, $"{run.Data} ({training.Report.Points} points, {training.Patches.Count} patches)");
    }

    private static SourceResult Open(
        string purpose, string source, int points, ulong seed, PairOptions patches, int threads, Terminal terminal, CancellationToken stop)
    {
        SourceResult result = terminal.WithProgress($"{purpose} patches from {source}", report => PatchSources.Open(
            source,
            points,
            seed,
            patches,
            progress: new Reporter<(int Done, int Total)>(made => report((double)made.Done / made.Total, $"{made.Done} points")),
            threads: threads,
            cancellation: stop));
        foreach (string warning in result.Report.Warnings)
        {
            terminal.Say(warning);
        }

        if (result.Report.DamagedPictures > 0 || result.Report.FlatPoints > 0)
        {
            terminal.Say($"skipped in all: {result.Report.DamagedPictures} damaged images, {result.Report.FlatPoints} near-uniform points or patches");
        }

        return result;
    }
}
