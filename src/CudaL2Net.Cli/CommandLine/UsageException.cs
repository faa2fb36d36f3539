namespace CudaL2Net.Cli.CommandLine;

/// <summary>What was asked for cannot be: exit code 2.</summary>
/// <param name="message">A sentence that names the option.</param>
/// <param name="hint">A second line; null points to the command's help.</param>
internal sealed class UsageException(string message, string? hint = null) : Exception(message)
{
    /// <summary>The second line, or null.</summary>
    public string? Hint { get; } = hint is null ? null : $"hint: {hint}";
}
