using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

namespace CudaL2Net.Networks;

/// <summary>What the JSON reader says of a network's description, in words of the description instead of types of the program.</summary>
internal static partial class DescriptionErrors
{
    /// <summary>What is wrong with an object.</summary>
    /// <param name="error">What the reader said.</param>
    /// <param name="type">The object's type.</param>
    public static string Explain(JsonException error, Type type)
    {
        if (Unknown().Match(error.Message) is { Success: true } unknown)
        {
            return $"it has no member '{unknown.Groups["name"].Value}'";
        }

        if (error.Path is not { } path || !path.StartsWith("$.", StringComparison.Ordinal))
        {
            return "it must be an object";
        }

        string member = path[2..].Split('.', '[')[0];
        JsonPropertyInfo? property = NetworkJson.Default.GetTypeInfo(type)!.Properties.FirstOrDefault(one => one.Name == member);
        return property is null ? FirstSentence(error.Message) : $"{member} must be {ValuesOf(property.PropertyType)}";
    }

    /// <summary>What is wrong with text that is no JSON, with the line.</summary>
    public static string Explain(JsonException error) =>
        error.LineNumber is { } line ? $"{FirstSentence(error.Message)} (line {line + 1})" : FirstSentence(error.Message);

    /// <summary>The members of an object, for messages.</summary>
    public static string Members(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none but type";

    private static string ValuesOf(Type type) => type switch
    {
        { IsEnum: true } => $"one of {string.Join(", ", Enum.GetNames(type).Select(name => $"\"{JsonNamingPolicy.CamelCase.ConvertName(name)}\""))}",
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(int) => $"a whole number, at most {int.MaxValue}",
        _ when type == typeof(float) => "a number",
        _ when type == typeof(string) => "a text",
        _ => "a list",
    };

    private static string FirstSentence(string message) => message.Split(" Path:")[0].Split(" LineNumber:")[0].TrimEnd('.', ' ');

    [GeneratedRegex(@"^The JSON property '(?<name>.*?)' could not be mapped")]
    private static partial Regex Unknown();
}
