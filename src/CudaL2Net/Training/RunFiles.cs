using System.Text.Json;
using CudaL2Net.Formats;

namespace CudaL2Net.Training;

/// <summary>The files of a run in its folder.</summary>
/// <param name="folder">The folder.</param>
internal sealed class RunFiles(string folder)
{
    /// <summary>The folder.</summary>
    public string Folder => folder;

    /// <summary>The checkpoint.</summary>
    public string Checkpoint => Path.Combine(folder, "checkpoint.safetensors");

    /// <summary>The model, there at the end.</summary>
    public string Model => Path.Combine(folder, "model.safetensors");

    private string Metrics => Path.Combine(folder, "metrics.jsonl");

    /// <summary>The checkpoint that a run goes on from; null in a folder without one.</summary>
    /// <param name="resume">Whether the run may go on from one.</param>
    /// <exception cref="IOException">There is a checkpoint, and the run is a new one.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged.</exception>
    public Checkpoint? FindCheckpoint(bool resume)
    {
        if (!File.Exists(Checkpoint))
        {
            return null;
        }

        if (!resume)
        {
            throw new IOException($"{Folder} holds a training already; go on with it (--resume) or choose another folder");
        }

        return Training.Checkpoint.Read(Checkpoint);
    }

    /// <summary>Opens the log; lines of steps that a killed run did behind its last checkpoint are dropped, for they are done again.</summary>
    /// <param name="done">Steps of the checkpoint.</param>
    public StreamWriter OpenMetrics(int done)
    {
        string[] kept = File.Exists(Metrics) ? [.. File.ReadLines(Metrics).TakeWhile(line => StepOf(line) is { } at && at <= done)] : [];
        AtomicFile.Write(Metrics, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            foreach (string line in kept)
            {
                writer.Write(line + "\n");
            }
        });
        return new StreamWriter(Metrics, append: true) { NewLine = "\n" };
    }

    /// <summary>A line of the log.</summary>
    public static string MetricsLine(int step, int epoch, long pairs, StepReading reading, float rate, double speed, double? fpr95) =>
        JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["step"] = step,
            ["epoch"] = epoch,
            ["pairs"] = pairs,
            ["loss"] = reading.Loss,
            ["terms"] = reading.Terms,
            ["learningRate"] = rate,
            ["patchesPerSecond"] = double.IsFinite(speed) ? Math.Round(speed, 1) : null,
            ["fpr95"] = fpr95,
        });

    private static int? StepOf(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.GetProperty("step").GetInt32();
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
