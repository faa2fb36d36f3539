namespace CudaL2Net.Cli.CommandLine;

/// <summary>What was asked for cannot be: exit code 2.</summary>
/// <param name="message">A sentence that names the option.</param>
/// <param name="hint">What to do, without the word "hint"; null points to the command's help.</param>
internal sealed class UsageException(string message, string? hint = null) : Exception(message)
{
    /// <summary>What to do, or null.</summary>
    public string? Hint => hint;
}
