using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Colmap;
using CudaL2Net.Pipelines.Images;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Colmap;

/// <summary><c>cudal2net colmap match</c>: in place of COLMAP's matchers.</summary>
internal static class ColmapMatchCommand
{
    private static readonly Option<string> Pairs = new("--pairs")
    {
        Description = "Which images to match: exhaustive (all with all), sequential:N (each with the N after it, by name), or a file with two names per line.",
        HelpName = ImagePairs.Forms,
        DefaultValueFactory = _ => "exhaustive",
    };

    private static readonly Option<double> Ratio = new("--ratio")
    {
        Description = "Keep a match only if its distance is at most R times that of the second nearest keypoint.",
        HelpName = "R",
        DefaultValueFactory = _ => 0.85,
    };

    private static readonly Option<bool> OneWay = new("--one-way") { Description = "Keep a match also if only one keypoint is the other's nearest." };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace all matches that the database has already." };

    private sealed record Result(
        string Database, long Pairs, long DoneBefore, long Matches, long? VerifiedMatches, long? VerifiedPairs, int ImagesWithoutDescriptors, double PairsPerSecond);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "match",
            "Match the images of a database that `colmap extract` filled. A run that was stopped goes on where it was.",
            "cudal2net colmap match --database photos.db --verify",
            "cudal2net colmap match --database photos.db --verify --pairs sequential:10 --ratio 0.8")
        {
            ColmapCommand.Database, Pairs, Ratio, OneWay, ColmapCommand.Verify, ColmapCommand.Tolerance, Force, CommonOptions.Device, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string path = line.GetRequiredValue(ColmapCommand.Database);
        double? tolerance = ColmapCommand.CheckedTolerance(line);
        bool verify = tolerance is not null;
        double ratio = MatchCommand.CheckedRatio(line, Ratio);
        using var interrupt = new Interrupt(terminal, "stopping; the same command goes on from here (Ctrl-C again leaves at once)");
        using ColmapDatabase database = ColmapDatabase.Open(path, create: false);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        var options = new ColmapMatchOptions(new MatchOptions(!line.GetValue(OneWay), ratio), tolerance, line.GetValue(Force));
        var watch = Stopwatch.StartNew();
        ColmapMatchReport report = ColmapCommand.Step(path, () => terminal.WithProgress("matching", share =>
            new ColmapMatching(database, new DescriptorSearch(device)).Run(line.GetValue(Pairs)!, options, new Reporter<(long Done, long Total)>(at => share(
                (double)at.Done / at.Total,
                string.Create(CultureInfo.InvariantCulture, $"{at.Done}/{at.Total} pairs, {at.Done / watch.Elapsed.TotalSeconds:0.0} pairs/s"))), interrupt.Token)));
        if (report.Undescribed > 0)
        {
            terminal.Say($"{report.Undescribed} images of the database have no descriptors of this tool and were not matched");
        }

        var result = new Result(path, report.Pairs, report.Before, report.Matches, verify ? report.Verified : null, verify ? report.VerifiedPairs : null,
            report.Undescribed, Math.Round(report.Pairs / watch.Elapsed.TotalSeconds, 2));
        terminal.Result(result, console => console.WriteLine(
            $"{result.Pairs} pairs with {result.Matches} matches"
            + (verify ? $", {result.VerifiedMatches} of them verified in {result.VerifiedPairs} pairs" : string.Empty)
            + (result.DoneBefore > 0 ? $"; {result.DoneBefore} pairs were done before" : string.Empty)
            + $": {path}"));
        return 0;
    }
}
