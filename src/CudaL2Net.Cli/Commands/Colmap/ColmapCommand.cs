using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Pipelines.Images;

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

    /// <summary>Whether matches are verified.</summary>
    public static readonly Option<bool> Verify = new("--verify")
    {
        Description = "Also verify the matches with RANSAC, so that `colmap mapper` can go on at once. Without it, COLMAP's matches_importer verifies them.",
    };

    /// <summary>How far verified matches may be off.</summary>
    public static readonly Option<double> Tolerance = new("--tolerance")
    {
        Description = "The largest error of a verified match, in pixels.",
        HelpName = "PIXELS",
        DefaultValueFactory = _ => 4,
    };

    /// <summary>The largest error of verified matches; null where they are not to be verified.</summary>
    /// <exception cref="UsageException">It is out of range, or given without need.</exception>
    public static double? CheckedTolerance(ParseResult line)
    {
        double tolerance = line.GetValue(Tolerance);
        if (!(tolerance > 0) || !double.IsFinite(tolerance))
        {
            throw new UsageException($"--tolerance {tolerance}: it must be above 0 pixels");
        }

        return line.GetValue(Verify)
            ? tolerance
            : line.GetResult(Tolerance) is { Implicit: false } ? throw new UsageException("--tolerance is for --verify", "add --verify, or leave it out") : null;
    }

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal) => new ExampleCommand("colmap", "Fill COLMAP's database with this tool's descriptors and matches.")
    {
        ColmapExtractCommand.Create(terminal),
        ColmapMatchCommand.Create(terminal),
        ColmapImportCommand.Create(terminal),
    };

    /// <summary>Runs a step on the database; what the database has that does not go together with the line is a usage error.</summary>
    public static T Step<T>(string database, Func<T> step)
    {
        try
        {
            return step();
        }
        catch (OtherSettingsException error)
        {
            throw new UsageException($"--database {database}: {error.Message}");
        }
    }
}
