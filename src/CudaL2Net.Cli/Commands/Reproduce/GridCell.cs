using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CudaL2Net.Formats;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary>What one test set gave.</summary>
/// <param name="TestSet">The set.</param>
/// <param name="IsBinary">Whether the signs of the descriptors were compared.</param>
/// <param name="Fpr95">0 to 1.</param>
/// <param name="Auc">0 to 1.</param>
/// <param name="AveragePrecision">0 to 1.</param>
internal sealed record CellScore(string TestSet, bool IsBinary, double Fpr95, double Auc, double AveragePrecision);

/// <summary>A finished cell of a grid: one training, tested on all other sets; <c>cell.json</c> in the cell's folder.</summary>
/// <param name="Preset">The training's preset; <c>sift</c> for SIFT.</param>
/// <param name="TrainSet">The set trained on; empty for SIFT.</param>
/// <param name="Steps">Steps of the training.</param>
/// <param name="Seconds">Duration of the training as far as this run did it.</param>
/// <param name="Data">Fingerprints of the sets, by name: of all their files, images too.</param>
/// <param name="Scores">Two for each test set, float and binary; none if the training failed.</param>
/// <param name="Failure">Why the training failed, or null.</param>
internal sealed record GridCell(
    string Preset,
    string TrainSet,
    int Steps,
    double Seconds,
    IReadOnlyDictionary<string, string> Data,
    IReadOnlyList<CellScore> Scores,
    string? Failure)
{
    private const string FileName = "cell.json";

    /// <summary>Of the model that was tested, SHA-256 of its file; null for SIFT and in older files.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Model { get; init; }

    /// <summary>Of the model that the training started from, SHA-256 of its file; null if it started from none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Initial { get; init; }

    /// <summary>The program that made the cell; null in older files.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Program { get; init; }

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        WriteIndented = true,
    };

    /// <summary>Reads a folder's cell; null where it is not finished.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static GridCell? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            JsonObject file = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new JsonException("it is no object");
            GridCell cell = file["cell"].Deserialize<GridCell>(Json) ?? throw new JsonException("it has no cell");
            if ((string?)file["sha256"] != cell.Checksum())
            {
                throw new JsonException("its checksum does not fit");
            }

            return cell.IsPossible ? cell : throw new JsonException("a number of it is out of range");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException(
                $"{path} is damaged: {error.Message.TrimEnd('.')}. Remove it and run the command again: the training beside it is kept, only the test is repeated.",
                error);
        }
    }

    /// <summary>Writes the cell into its folder.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string folder)
    {
        var file = new JsonObject { ["cell"] = JsonSerializer.SerializeToNode(this, Json), ["sha256"] = Checksum() };
        AtomicFile.Write(Path.Combine(folder, FileName), stream => JsonSerializer.Serialize(stream, file, Json));
    }

    private bool IsPossible => Steps >= 0 && Seconds >= 0 && Scores.All(score => score is not null
        && new[] { score.Fpr95, score.Auc, score.AveragePrecision }.All(value => value is >= 0 and <= 1));

    private string Checksum() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(this, Json))));
}
