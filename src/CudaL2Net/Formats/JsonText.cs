using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace CudaL2Net.Formats;

/// <summary>JSON as this project writes it: indented, names in camel case, NaN and infinity as words.</summary>
internal static class JsonText
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The value as JSON.</summary>
    public static string Of(object value) => JsonSerializer.Serialize(value, Options);

    /// <summary>The value of <see cref="Of"/>'s text; null where the text is <c>null</c>.</summary>
    /// <exception cref="JsonException">The text is no JSON, or of another kind of value.</exception>
    public static T? Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options);

    /// <summary>A value that a person typed for a setting: JSON, its numbers as <see cref="NumberText"/> reads them, or else the text as it stands.</summary>
    public static JsonNode? OfTyped(string value)
    {
        if (value.Trim() != value)
        {
            return value;
        }

        try
        {
            JsonNode? node = JsonNode.Parse(value);
            return HasReadableNumbers(node) ? node : value;
        }
        catch (JsonException)
        {
            return NumberText.TryParse(value, out double number) ? number : value;
        }
    }

    private static bool HasReadableNumbers(JsonNode? node) => node switch
    {
        JsonObject members => members.All(member => HasReadableNumbers(member.Value)),
        JsonArray items => items.All(HasReadableNumbers),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => NumberText.TryParse(value.ToJsonString(), out double _),
        _ => true,
    };
}
