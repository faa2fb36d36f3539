using System.Collections.Concurrent;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace CudaL2Net.Networks;

/// <summary>Networks as JSON: in files, in model files, and by name in the library.</summary>
public static class NetworkFile
{
    private const string Folder = "CudaL2Net.Networks.Library.";
    private const string TowersMember = "towers", LayersMember = "layers", HeadMember = "head";

    private static readonly ConcurrentDictionary<string, Network> Library = [];

    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(OneLine) { WriteIndented = true };

    /// <summary>The names of the networks in the library.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(NetworkFile).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Select(name => name[Folder.Length..^".json".Length]).Order(StringComparer.Ordinal),
    ];

    /// <summary>A network of the library.</summary>
    /// <exception cref="ArgumentException">There is none of that name; the message lists them.</exception>
    public static Network Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Library.GetOrAdd(name, static name =>
        {
            using Stream? stream = typeof(NetworkFile).Assembly.GetManifestResourceStream($"{Folder}{name}.json");
            if (stream is null)
            {
                throw new ArgumentException($"there is no network '{name}' in the box; there are {string.Join(", ", Names)}");
            }

            using var reader = new StreamReader(stream);
            return Parse(reader.ReadToEnd(), name);
        });
    }

    /// <summary>Reads a network from a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file holds no network, or one whose layers do not fit; the message names the file and the layer.</exception>
    public static Network Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Parse(File.ReadAllText(path), path);
    }

    /// <summary>Reads a network from JSON and checks that its layers fit.</summary>
    /// <param name="json">The text.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">The text is no network, or one whose layers do not fit; the message names the layer.</exception>
    public static Network Parse(string json, string name)
    {
        try
        {
            JsonNode? root = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true
            });
            Network network = FromNode(root);
            ShapedNetwork.Of(network);
            return network;
        }
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            string reason = error is JsonException unreadable ? DescriptionErrors.Explain(unreadable) : error.Message.TrimEnd('.');
            throw new InvalidDataException($"{name}: this is no network: {reason}", error);
        }
    }

    /// <summary>The network as JSON.</summary>
    /// <param name="network">The network.</param>
    /// <param name="indented">Whether for people to read; else one line.</param>
    public static string Write(Network network, bool indented = false)
    {
        ArgumentNullException.ThrowIfNull(network);
        return ToNode(network).ToJsonString(indented ? Indented : OneLine);
    }

    /// <summary>The network as a JSON object.</summary>
    internal static JsonObject ToNode(Network network)
    {
        var node = new JsonObject { ["name"] = network.Name };
        if (network.About.Length > 0)
        {
            node["about"] = network.About;
        }

        node["input"] = JsonSerializer.SerializeToNode(network.Input, NetworkJson.Default.NetworkInput);
        node[TowersMember] = new JsonArray([.. network.Towers.Select(tower => With(
            JsonSerializer.SerializeToNode(new TowerSettings(tower.View, tower.Trained), NetworkJson.Default.TowerSettings), tower.Layers))]);
        var head = new HeadSettings(network.Head.Kind, network.Head.Comparison, network.Head.UnitVectors);
        node[HeadMember] = With(JsonSerializer.SerializeToNode(head, NetworkJson.Default.HeadSettings), network.Head.Layers);
        return node;

        static JsonNode? With(JsonNode? part, IReadOnlyList<Layer> layers)
        {
            part![LayersMember] = Write(layers);
            return part;
        }
    }

    /// <summary>The network in a JSON value; shapes are not checked.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    internal static Network FromNode(JsonNode? node)
    {
        if (node is not JsonObject root)
        {
            throw new ArgumentException("it must be an object with name, input, towers and head");
        }

        string[] known = ["name", "about", "input", TowersMember, HeadMember];
        if (root.FirstOrDefault(member => !known.Contains(member.Key)) is { Key: not null } unknown)
        {
            throw new ArgumentException($"it has no member '{unknown.Key}'; its members are {string.Join(", ", known)}");
        }

        return new Network
        {
            Name = Text(root, "name") ?? throw new ArgumentException("it has no name"),
            About = Text(root, "about") ?? "",
            Input = Part("the input", root["input"], NetworkJson.Default.NetworkInput) ?? new NetworkInput(),
            Towers = root[TowersMember] is JsonArray { Count: > 0 } towers
                ? [.. towers.Select((tower, t) => ReadTower(tower, t + 1))]
                : throw new ArgumentException("towers must be a list of at least one tower"),
            Head = ReadHead(root[HeadMember]),
        };
    }

    private static Tower ReadTower(JsonNode? node, int number)
    {
        if (node is not JsonObject tower || tower[LayersMember] is not JsonArray { Count: > 0 } layers)
        {
            throw new ArgumentException($"tower {number} must be an object with a list of layers");
        }

        TowerSettings read = Part($"tower {number}", WithoutLayers(tower), NetworkJson.Default.TowerSettings)!;
        return new Tower { View = read.View, Trained = read.Trained, Layers = Read(layers, $"tower {number}") };
    }

    private static NetworkHead ReadHead(JsonNode? node)
    {
        if (node is null)
        {
            return new NetworkHead();
        }

        JsonObject head = node as JsonObject ?? throw new ArgumentException("the head must be an object");
        HeadSettings read = Part("the head", WithoutLayers(head), NetworkJson.Default.HeadSettings)!;
        return new NetworkHead
        {
            Kind = read.Kind,
            Comparison = read.Comparison,
            UnitVectors = read.UnitVectors,
            Layers = head[LayersMember] switch
            {
                null => [],
                JsonArray layers => Read(layers, "the head"),
                _ => throw new ArgumentException("the head's layers must be a list"),
            },
        };
    }

    private static Layer[] Read(JsonArray layers, string where) => [.. layers.Select((layer, i) =>
    {
        try
        {
            return LayerKinds.Read(layer);
        }
        catch (ArgumentException error)
        {
            throw new ArgumentException($"{where}, layer {i + 1}: {error.Message}", error);
        }
    })];

    private static JsonArray Write(IReadOnlyList<Layer> layers) => new([.. layers.Select(layer => (JsonNode)LayerKinds.Write(layer))]);

    private static JsonObject WithoutLayers(JsonObject node) => new(node.Where(member => member.Key != LayersMember)
        .Select(member => KeyValuePair.Create(member.Key, member.Value?.DeepClone())));

    private static string? Text(JsonObject root, string member) => root[member] switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        _ => throw new ArgumentException($"{member} must be a text"),
    };

    private static T? Part<T>(string what, JsonNode? node, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return node.Deserialize(type);
        }
        catch (JsonException error)
        {
            throw new ArgumentException($"{what}: {DescriptionErrors.Explain(error, typeof(T))}", error);
        }
    }
}
