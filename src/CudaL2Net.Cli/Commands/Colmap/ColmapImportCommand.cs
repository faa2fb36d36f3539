using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Pipelines.Colmap;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Colmap;

/// <summary><c>cudal2net colmap import</c>: hloc's files into COLMAP's database.</summary>
internal static class ColmapImportCommand
{
    private static readonly Option<string> Features = new("--features")
    {
        Description = "A file of features: of `describe FOLDER --out FILE.h5`, or of hloc.",
        HelpName = "FILE.h5",
        Required = true,
    };

    private static readonly Option<string?> Matches = new("--matches") { Description = "A file of matches: of `match --features`, or of hloc.", HelpName = "FILE.h5" };

    private static readonly Option<string?> Images = new("--images")
    {
        Description = "The folder with the images, to take focal lengths from EXIF.",
        HelpName = "DIR",
    };

    private sealed record Result(string Database, int Images, long Keypoints, int Pairs, long Matches, long? VerifiedMatches);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "import",
            "Write the keypoints and matches of hloc's files into a new database of COLMAP.",
            "cudal2net colmap import --features features.h5 --matches matches.h5 --images photos --database photos.db --verify")
        {
            Features, Matches, Images, ColmapCommand.Database, CameraOptions.Model, CameraOptions.Single, CameraOptions.Parameters,
            ColmapCommand.Verify, ColmapCommand.Tolerance,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string path = line.GetRequiredValue(ColmapCommand.Database);
        CameraChoice camera = CameraOptions.Read(line);
        double? tolerance = ColmapCommand.CheckedTolerance(line);
        using var interrupt = new Interrupt(terminal, "stopping; nothing is written (Ctrl-C again leaves at once)");
        using ColmapDatabase database = ColmapDatabase.Open(path, create: true);
        ColmapImportReport report = ColmapCommand.Step(path, () => terminal.WithProgress("importing", share => new ColmapImport(database).Run(
            line.GetRequiredValue(Features), line.GetValue(Matches), line.GetValue(Images), camera, tolerance,
            new Reporter<(int Done, int Total)>(at => share((double)at.Done / at.Total, $"{at.Done}/{at.Total} images and pairs")), interrupt.Token)));
        var result = new Result(path, report.Images, report.Keypoints, report.Pairs, report.Matches, tolerance is null ? null : report.Verified);
        terminal.Result(result, console => console.WriteLine(
            $"{result.Images} images with {result.Keypoints} keypoints, {result.Pairs} pairs with {result.Matches} matches"
            + (tolerance is null ? string.Empty : $", {result.VerifiedMatches} of them verified") + $": {path}"));
        return 0;
    }
}
