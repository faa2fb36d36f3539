using System.Text.Encodings.Web;
using System.Text.Json;
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
}
