using System.CommandLine;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Commands.Colmap;

/// <summary><c>cudal2net colmap</c>: keypoints, descriptors and matches for COLMAP.</summary>
internal static class ColmapCommand
{
    /// <summary>The database.</summary>
    public static readonly Option<string> Database = new("--database", "-d")
    {
        Description = "COLMAP's database (3.6 to 4).",
        HelpName = "FILE",
        Required = true,
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal) => new ExampleCommand("colmap", "Fill COLMAP's database with this tool's descriptors and matches.")
    {
        ColmapExtractCommand.Create(terminal),
        ColmapMatchCommand.Create(terminal),
    };

    /// <summary>Runs a step on the database; what the database has that does not go together with the line is a usage error.</summary>
    public static T Step<T>(string database, Func<T> step)
    {
        try
        {
            return step();
        }
        catch (InvalidOperationException error)
        {
            throw new UsageException($"--database {database}: {error.Message}");
        }
    }
}
