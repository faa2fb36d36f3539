using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace CudaL2Net.Networks;

/// <summary>Networks as JSON: in files, in model files, and by name in the library.</summary>
public static class NetworkFile
{
    private const string Folder = "CudaL2Net.Networks.Library.";
    private const string TowersMember = "towers", LayersMember = "layers", HeadMember = "head";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // Layers are read one by one, so that errors can number them.
    private static readonly JsonSerializerOptions PartOptions = new(Json) { Converters = { new NoLayers() } };

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
        using Stream? stream = typeof(NetworkFile).Assembly.GetManifestResourceStream($"{Folder}{name}.json");
        if (stream is null)
        {
            throw new ArgumentException($"there is no network '{name}' in the box; there are {string.Join(", ", Names)}");
        }

        using var reader = new StreamReader(stream);
        return Parse(reader.ReadToEnd(), name);
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
            JsonNode? root = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            Network network = FromNode(root);
            ShapedNetwork.Of(network);
            return network;
        }
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{name}: this is no network: {error.Message.Split(" Path:")[0].TrimEnd('.')}", error);
        }
    }

    /// <summary>The network as JSON.</summary>
    /// <param name="network">The network.</param>
    /// <param name="indented">Whether for people to read; else one line.</param>
    public static string Write(Network network, bool indented = false)
    {
        ArgumentNullException.ThrowIfNull(network);
        return ToNode(network).ToJsonString(new JsonSerializerOptions(Json) { WriteIndented = indented });
    }

    /// <summary>The network as a JSON object.</summary>
    internal static JsonObject ToNode(Network network)
    {
        var node = new JsonObject { ["name"] = network.Name };
        if (network.About.Length > 0)
        {
            node["about"] = network.About;
        }

        node["input"] = JsonSerializer.SerializeToNode(network.Input, Json);
        node[TowersMember] = new JsonArray([.. network.Towers.Select(tower => (JsonNode)new JsonObject
        {
            ["view"] = JsonSerializer.SerializeToNode(tower.View, Json),
            ["trained"] = tower.Trained,
            [LayersMember] = Write(tower.Layers),
        })]);
        JsonObject head = JsonSerializer.SerializeToNode(network.Head with { Layers = [] }, PartOptions)!.AsObject();
        head[LayersMember] = Write(network.Head.Layers);
        node[HeadMember] = head;
        return node;
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
            Input = Part<NetworkInput>("the input", root["input"]) ?? new NetworkInput(),
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

        Tower read = Part<Tower>($"tower {number}", Without(tower, LayersMember, new JsonArray()))!;
        return read with { Layers = Read(layers, $"tower {number}") };
    }

    private static NetworkHead ReadHead(JsonNode? node)
    {
        if (node is null)
        {
            return new NetworkHead();
        }

        JsonObject head = node as JsonObject ?? throw new ArgumentException("the head must be an object");
        NetworkHead read = Part<NetworkHead>("the head", Without(head, LayersMember, new JsonArray()))!;
        return read with { Layers = head[LayersMember] is JsonArray layers ? Read(layers, "the head") : [] };
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

    private static JsonObject Without(JsonObject node, string member, JsonNode instead)
    {
        JsonObject copy = node.DeepClone().AsObject();
        copy.Remove(member);
        copy[member] = instead;
        return copy;
    }

    private static string? Text(JsonObject root, string member) => root[member] switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        _ => throw new ArgumentException($"{member} must be a text"),
    };

    private static T? Part<T>(string what, JsonNode? node)
        where T : class
    {
        try
        {
            return node.Deserialize<T>(PartOptions);
        }
        catch (JsonException error)
        {
            throw new ArgumentException($"{what}: {error.Message.Split(" Path:")[0].TrimEnd('.')}", error);
        }
    }

    private sealed class NoLayers : JsonConverter<IReadOnlyList<Layer>>
    {
        public override IReadOnlyList<Layer> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            reader.Skip();
            return [];
        }

        public override void Write(Utf8JsonWriter writer, IReadOnlyList<Layer> value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            writer.WriteEndArray();
        }
    }
}
