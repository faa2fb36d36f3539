using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Cli.Runs;

/// <summary>What a training was started with: <c>run.json</c> in its folder, from which <c>--resume</c> goes on.</summary>
/// <param name="Data">The source of the training patches.</param>
/// <param name="Validation">The source of the validation patches.</param>
/// <param name="Points">The number of points that are made of images or scenes.</param>
/// <param name="Minutes">The wanted duration, or null.</param>
/// <param name="Patches">How patches are made of images.</param>
/// <param name="Options">The training's settings.</param>
/// <param name="Device">The device it runs on, as <c>cuda:0</c>, where it is resumed, too, unless another is asked for.</param>
/// <param name="Precision">What its matrix products multiply.</param>
/// <param name="Kernels">Whose kernels it trains with.</param>
internal sealed record TrainingRun(
    string Data, string Validation, int Points, double? Minutes, PairOptions Patches, TrainingOptions Options, string Device = "auto",
    Precision Precision = Precision.Float32, KernelSet Kernels = KernelSet.Own)
{
    private const string PatchPrefix = "patches.";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
    };

    /// <summary>Where a folder has it.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, "run.json");

    /// <summary>What a training writes, by its folder.</summary>
    public static IEnumerable<OutputPlace> PlacesOf(string folder)
    {
        string[] files = [PathIn(folder), .. new[] { "model.safetensors", "checkpoint.safetensors", "metrics.jsonl" }.Select(name => Path.Combine(folder, name))];
        return [OutputPlace.Folder(folder), .. files.Select(OutputPlace.FileAndFolder)];
    }

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
            JsonObject json = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new JsonException("it is no object");

            // Older files name it here; the network decides it.
            (json["patches"] as JsonObject)?.Remove("centres");
            string options = json["options"]?.ToJsonString() ?? throw new JsonException("it has no options");
            json.Remove("options");
            Stored stored = json.Deserialize<Stored>(Json) ?? throw new JsonException("it is empty");
            var run = new TrainingRun(stored.Data, stored.Validation, stored.Points, stored.Minutes, stored.Patches, TrainingOptions.FromJson(options), stored.Device,
                stored.Precision, stored.Kernels);
            run.Validate();
            return run;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path} is damaged ({exception.Message.TrimEnd('.')}); start the training again in another folder", exception);
        }
    }

    /// <summary>Throws where a value makes no sense.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        if (Points < 0 || Minutes is <= 0 or double.NaN or double.PositiveInfinity)
        {
            throw new ArgumentException(Points < 0 ? $"{Points} points: at least 0" : $"{Minutes} minutes: above 0");
        }

        Options.Validate();
        Patches.Validate();
    }

    /// <summary>Whether two runs give the same model.</summary>
    public bool IsSameAs(TrainingRun other) => other.Options.ToJson() == Options.ToJson() && other with { Options = Options } == this;

    /// <summary>Writes the run into its folder.</summary>
    /// <exception cref="IOException">The folder or file cannot be written.</exception>
    public void Write(string folder)
    {
        WritableFolder.Make(folder);
        var json = new JsonObject
        {
            ["data"] = Data,
            ["validation"] = Validation,
            ["points"] = Points,
            ["minutes"] = Minutes,
            ["device"] = Device,
            ["precision"] = Precision.ToString().ToLowerInvariant(),
            ["kernels"] = Kernels.ToString().ToLowerInvariant(),
            ["patches"] = JsonSerializer.SerializeToNode(Patches, Json),
            ["options"] = JsonNode.Parse(Options.ToJson()),
        };
        AtomicFile.Write(PathIn(folder), stream => JsonSerializer.Serialize(stream, json, Json));
    }

    /// <summary>This run with one setting changed: of the patches where the name starts with <c>patches.</c>, else of the training.</summary>
    /// <exception cref="ArgumentException">There is no such setting, or the value does not fit it.</exception>
    public TrainingRun With(string name, string value)
    {
        if (!name.StartsWith(PatchPrefix, StringComparison.Ordinal))
        {
            return this with { Options = Options.With(name, value) };
        }

        return this with { Patches = Change(Patches, name[PatchPrefix.Length..], value, PatchPrefix) };
    }

    /// <summary>How patches are made, with settings changed.</summary>
    /// <param name="options">The settings before.</param>
    /// <param name="settings">Changes of the form <c>NAME=VALUE</c>.</param>
    /// <exception cref="UsageException">There is no such setting, or the value does not fit it.</exception>
    public static PairOptions Change(PairOptions options, IEnumerable<string> settings) =>
        Set(options, settings, "noise=4", (changed, name, value) => Change(changed, name, value, string.Empty));

    /// <summary>A run with settings changed.</summary>
    /// <param name="run">The run before.</param>
    /// <param name="settings">Changes of the form <c>NAME=VALUE</c>.</param>
    /// <exception cref="UsageException">There is no such setting, or the value does not fit it.</exception>
    public static TrainingRun Change(TrainingRun run, IEnumerable<string> settings) =>
        Set(run, settings, "loss.margin=0.8", (changed, name, value) => changed.With(name, value));

    private static T Set<T>(T before, IEnumerable<string> settings, string example, Func<T, string, string, T> change) =>
        settings.Aggregate(before, (changed, setting) =>
        {
            if (setting.Split('=', 2) is not [var name, var value])
            {
                throw new UsageException($"--set {setting}: expected NAME=VALUE, as {example}");
            }

            try
            {
                return change(changed, name.Trim(), value);
            }
            catch (ArgumentException error)
            {
                throw new UsageException($"--set {setting}: {error.Message}");
            }
        });

    private static PairOptions Change(PairOptions options, string key, string value, string prefix)
    {
        string name = prefix + key;
        JsonObject patches = JsonSerializer.SerializeToNode(options, Json)!.AsObject();
        if (!patches.ContainsKey(key))
        {
            string[] known = [.. patches.Select(entry => prefix + entry.Key)];
            throw new ArgumentException($"there is no setting '{name}'; the settings of patches are {string.Join(", ", known)}");
        }

        patches[key] = JsonText.OfTyped(value);
        try
        {
            PairOptions changed = patches.Deserialize<PairOptions>(Json)!;

            // A number that is too large for its type has become infinite, which JSON cannot hold.
            _ = JsonSerializer.Serialize(changed, Json);
            return changed with { Parts = options.Parts };
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw new ArgumentException($"the setting '{name}' cannot be '{value}'; numbers have a point before the decimals and no other separators");
        }
    }

    // The file but for the options, which have a form of their own.
    private sealed record Stored(
        string Data, string Validation, int Points, double? Minutes, PairOptions Patches, string Device = "auto",
        [property: JsonConverter(typeof(CamelCaseEnum<Precision>))] Precision Precision = Precision.Float32,
        [property: JsonConverter(typeof(CamelCaseEnum<KernelSet>))] KernelSet Kernels = KernelSet.Own);
}
