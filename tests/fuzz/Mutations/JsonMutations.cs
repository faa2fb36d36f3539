using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CudaL2Net.Fuzz.Mutations;

/// <summary>Damage to JSON that stays JSON: values of other types, members missing, doubled and strange, deep nesting.</summary>
internal static class JsonMutations
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 1000 };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Func<byte[], Random, byte[]>> All { get; } = [Change, Change, Change, Change, Nest];

    // One value becomes another one, or goes.
    private static byte[] Change(byte[] file, Random random)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(file);
            List<JsonNode> nodes = [];
            Collect(root, nodes);
            if (nodes.Count == 0)
            {
                return file;
            }

            JsonNode node = nodes[random.Next(nodes.Count)];
            Change(node, random);
            return Encoding.UTF8.GetBytes(root!.ToJsonString(Plain));
        }
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            // Damaged before: no JSON, a name twice, no UTF-8.
            return file;
        }
    }

    private static void Change(JsonNode node, Random random)
    {
        switch (node.Parent)
        {
            case JsonObject parent:
                string name = node.GetPropertyName();
                switch (random.Next(6))
                {
                    case 0:
                        parent.Remove(name);
                        break;
                    case 1:
                        parent["another"] = Value(random);
                        break;
                    case 2:
                        parent.Remove(name);
                        parent[random.Next(2) == 0 ? name.ToUpperInvariant() : name + "\u001b[2J"] = node;
                        break;
                    default:
                        parent[name] = Value(random);
                        break;
                }

                break;
            case JsonArray parent:
                int index = node.GetElementIndex();
                switch (random.Next(4))
                {
                    case 0:
                        parent.RemoveAt(index);
                        break;
                    case 1:
                        parent.Insert(index, node.DeepClone());
                        break;
                    case 2:
                        parent.Clear();
                        break;
                    default:
                        parent[index] = Value(random);
                        break;
                }

                break;
        }
    }

    private static void Collect(JsonNode? node, List<JsonNode> nodes)
    {
        foreach (JsonNode? child in node switch
        {
            JsonObject members => members.Select(member => member.Value),
            JsonArray items => items,
            _ => [],
        })
        {
            if (child is not null)
            {
                nodes.Add(child);
                Collect(child, nodes);
            }
        }
    }

    private static JsonNode? Value(Random random) => random.Next(13) switch
    {
        0 => null,
        1 => true,
        2 => 0,
        3 => -1,
        4 => long.MaxValue,
        5 => 1e308,
        6 => 0.5,
        7 => "",
        8 => LineMutations.AnyNumber(random),
        9 => new string('x', random.Next(10_000)),
        10 => new JsonArray(),
        11 => new JsonObject(),
        _ => int.MaxValue,
    };

    // In the place of a value, thousands of brackets.
    private static byte[] Nest(byte[] file, Random random)
    {
        string text = Encoding.UTF8.GetString(file);
        int at = text.IndexOf(':', random.Next(text.Length + 1));
        int depth = random.Next(2) == 0 ? random.Next(1, 100) : random.Next(1, 50_000);
        bool objects = random.Next(2) == 0;
        string open = string.Concat(Enumerable.Repeat(objects ? "{\"a\":" : "[", depth)), close = new(objects ? '}' : ']', depth);
        return Encoding.UTF8.GetBytes(text[..(at + 1)] + open + (objects ? "1" : "") + (random.Next(2) == 0 ? close : "") + text[(at + 1)..]);
    }
}
