namespace CudaL2Net.Cli.CommandLine;

/// <summary>What the program returns when it did not do all that it was asked for. 0 is success.</summary>
internal static class ExitCode
{
    /// <summary>A command failed.</summary>
    public const int Failure = 1;

    /// <summary>The command line cannot be understood.</summary>
    public const int UsageError = 2;

    /// <summary>Ctrl-C stopped the command, and what had been done was saved.</summary>
    public const int Interrupted = 130;
}
