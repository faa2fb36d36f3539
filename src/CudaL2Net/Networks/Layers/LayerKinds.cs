using System.Text.Json;
using System.Text.Json.Nodes;

namespace CudaL2Net.Networks;

/// <summary>The kinds of layers by their names in JSON.</summary>
internal static class LayerKinds
{
    private const string TypeMember = "type";

    private static readonly Dictionary<string, Type> Kinds = new()
    {
        ["convolution"] = typeof(Convolution),
        ["linear"] = typeof(Linear),
        ["batchNormalization"] = typeof(BatchNormalization),
        ["relu"] = typeof(Relu),
        ["tanh"] = typeof(Tanh),
        ["pixelScale"] = typeof(PixelScale),
        ["pooling"] = typeof(Pooling),
        ["subtractiveNormalization"] = typeof(SubtractiveNormalization),
        ["filterResponseNormalization"] = typeof(FilterResponseNormalization),
        ["dropout"] = typeof(Dropout),
        ["lrn"] = typeof(LocalResponseNormalization),
        ["unitVector"] = typeof(UnitVector),
    };

    /// <summary>All names.</summary>
    public static IEnumerable<string> Names => Kinds.Keys;

    /// <summary>A layer's name in JSON.</summary>
    public static string NameOf(Layer layer) => Kinds.First(kind => kind.Value == layer.GetType()).Key;

    /// <summary>Reads a layer.</summary>
    /// <exception cref="ArgumentException">It has no type, one that there is not, or members that the type does not have.</exception>
    public static Layer Read(JsonNode? node)
    {
        if (node is not JsonObject members || members[TypeMember] is not JsonValue type || type.GetValueKind() != JsonValueKind.String)
        {
            throw new ArgumentException($"a layer is an object with a \"type\": one of {string.Join(", ", Names)}");
        }

        string name = type.GetValue<string>();
        if (!Kinds.TryGetValue(name, out Type? kind))
        {
            throw new ArgumentException($"there is no layer of type '{name}'; the types are {string.Join(", ", Names)}");
        }

        var settings = new JsonObject(members.Where(member => member.Key != TypeMember).Select(member => KeyValuePair.Create(member.Key,
            member.Value?.DeepClone())));
        try
        {
            return (Layer)settings.Deserialize(kind, NetworkJson.Default)!;
        }
        catch (JsonException error)
        {
            string[] known = [.. JsonSerializer.SerializeToNode(new JsonObject().Deserialize(kind, NetworkJson.Default), kind,
                NetworkJson.Default)!.AsObject().Select(member => member.Key)];
            throw new ArgumentException($"{name}: {DescriptionErrors.Explain(error, kind)}; its members are {DescriptionErrors.Members(known)}", error);
        }
    }

    /// <summary>A layer as JSON.</summary>
    public static JsonObject Write(Layer layer)
    {
        var node = new JsonObject { [TypeMember] = NameOf(layer) };
        foreach ((string name, JsonNode? value) in JsonSerializer.SerializeToNode(layer, layer.GetType(), NetworkJson.Default)!.AsObject())
        {
            node[name] = value?.DeepClone();
        }

        return node;
    }
}
