using System.Text.Json;
using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Training;

namespace CudaL2Net.Cli;

/// <summary>What a training was started with: <c>run.json</c> in its folder, from which <c>--resume</c> goes on.</summary>
/// <param name="Data">The source of the training patches.</param>
/// <param name="Validation">The source of the validation patches.</param>
/// <param name="Points">The number of points that are made of pictures or scenes.</param>
/// <param name="Minutes">The wanted duration, or null.</param>
/// <param name="Options">The training's settings.</param>
internal sealed record TrainingRun(string Data, string Validation, int Points, double? Minutes, TrainingOptions Options)
{
    /// <summary>Where a folder has it.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, "run.json");

    /// <summary>Reads a folder's run; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static TrainingRun? Read(string folder)
    {
        string path = PathIn(folder);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
            return new TrainingRun(
                (string)json["data"]!,
                (string)json["validation"]!,
                (int)json["points"]!,
                (double?)json["minutes"],
                TrainingOptions.FromJson(json["options"]!.ToJsonString()));
        }
        catch (Exception exception) when (exception is JsonException or NullReferenceException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path} is damaged ({exception.Message}); start the training again in another folder");
        }
    }

    /// <summary>Writes the run into its folder.</summary>
    /// <exception cref="IOException">The folder or file cannot be written.</exception>
    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var json = new JsonObject
        {
            ["data"] = Data,
            ["validation"] = Validation,
            ["points"] = Points,
            ["minutes"] = Minutes,
            ["options"] = JsonNode.Parse(Options.ToJson()),
        };
        AtomicFile.Write(PathIn(folder), stream => JsonSerializer.Serialize(stream, json, new JsonSerializerOptions { WriteIndented = true }));
    }
}
