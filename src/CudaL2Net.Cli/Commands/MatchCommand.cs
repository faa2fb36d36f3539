using System.CommandLine;
using System.CommandLine.Parsing;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net match</c>: the same places in two images.</summary>
internal static class MatchCommand
{
    private static readonly Argument<string?> First = new("A") { Description = "The first image.", Arity = ArgumentArity.ZeroOrOne };

    private static readonly Argument<string?> Second = new("B") { Description = "The second image.", Arity = ArgumentArity.ZeroOrOne };

    private static readonly Option<string?> Features = new("--features")
    {
        Description = "Match many images instead of A and B: those of a file that `describe FOLDER --out FILE.h5`, or hloc, wrote. --out is then FILE.h5, in hloc's layout.",
        HelpName = "FILE.h5",
    };

    private static readonly Option<string> Pairs = new("--pairs")
    {
        Description = "For --features: exhaustive (all with all), sequential:N (each with the N after it, by name), or a file with two names per line.",
        HelpName = ImagePairs.Forms,
        DefaultValueFactory = _ => "exhaustive",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "For --features: begin anew what a run with other options left." };

    private static readonly Option<string?> Out = new("--out", "-o")
    {
        Description = "A PNG of both images with their matches, the verified ones in colour. For --features the .h5 to write.",
        HelpName = "FILE.png|FILE.h5",
    };

    private static readonly Option<double?> Ratio = new("--ratio")
    {
        Description = "Keep a match only if its distance is at most R times that of the second nearest keypoint; 0.85 for --features unless given.",
        HelpName = "R",
    };

    private static readonly Option<bool> Mutual = new("--mutual") { Description = "Keep a match only if each keypoint is the other's nearest. For --features always." };

    private static readonly Option<int> Limit = new("--limit")
    {
        Description = "The most keypoints per image.",
        HelpName = "N",
        DefaultValueFactory = _ => ImageMatchOptions.Default.KeypointLimit,
    };

    private static readonly Option<double> Tolerance = new("--tolerance")
    {
        Description = "The largest error of a verified match, in pixels.",
        HelpName = "PIXELS",
        DefaultValueFactory = _ => ImageMatchOptions.Default.Tolerance,
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Match the model's binary form by Hamming distance." };

    private sealed record Place(float X, float Y, float Size, float Angle);

    private sealed record Pair(Place A, Place B, double Distance, bool Verified);

    private sealed record Result(
        string A,
        string B,
        int KeypointsOfA,
        int KeypointsOfB,
        int Matches,
        int Verified,
        string Geometry,
        double[]? Matrix,
        string? Image,
        string? Unfinished,
        IReadOnlyList<Pair> Pairs);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "match",
            "Match the keypoints of two images and verify the matches with RANSAC (a homography or a fundamental matrix).",
            "cudal2net match a.jpg b.jpg --out matches.png",
            "cudal2net match --features features.h5 --pairs sequential:10 --out matches.h5",
            "cudal2net match a.jpg b.jpg --model runs/first --mutual --ratio 0.9 --json")
        {
            First, Second, Features, Pairs, Force, CommonOptions.Model, Out, Ratio, Mutual, Limit, CommonOptions.MaxSide, Tolerance, Binary,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        if (line.GetValue(Features) is { } features)
        {
            return RunFeatures(line, terminal, features);
        }

        if (line.GetValue(First) is not { } pathA || line.GetValue(Second) is not { } pathB)
        {
            throw new UsageException("which images? Name two of them, or a file of features with --features");
        }

        if (new Option[] { Pairs, Force }.FirstOrDefault(option => line.GetResult(option) is { Implicit: false }) is { } many)
        {
            throw new UsageException($"{many.Name} is for --features", "leave it out");
        }

        double ratio = line.GetValue(Ratio) ?? 1;
        if (!(ratio is > 0 and <= 1))
        {
            throw new UsageException($"--ratio {ratio}: it must be above 0 and at most 1");
        }

        int limit = line.GetValue(Limit);
        if (limit < 1)
        {
            throw new UsageException($"--limit {limit}: it must be at least 1");
        }

        int? maxSide = CommonOptions.CheckedMaxSide(line);
        string? image = line.GetValue(Out);
        if (image is not null && !image.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"--out {image}: the image is written as .png", $"--out {Path.ChangeExtension(image, ".png")}");
        }

        using Mat a = ImageFile.LoadGrey(pathA), b = ImageFile.LoadGrey(pathB);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using PatchModel model = ModelInput.LoadDescriber(line, terminal, device);
        string name = ModelInput.NameOf(line.GetValue(CommonOptions.Model), model);
        var describer = new ModelDescriber(name, model, line.GetValue(Binary)
            || model.Network.Head.Comparison == DescriptorComparison.Hamming);
        var matcher = new ImageMatcher(device, new CutPatchDescriber(describer, device.Threads));
        ImageMatches matches = matcher.Match(a, b,
            new ImageMatchOptions(limit, new MatchOptions(line.GetValue(Mutual), ratio), line.GetValue(Tolerance), maxSide));
        foreach ((string path, Keypoint[] keypoints) in new[] { (pathA, matches.FirstKeypoints), (pathB, matches.SecondKeypoints) })
        {
            if (keypoints.Length == 0)
            {
                terminal.Say($"no keypoints were found in {path}; it may be too small or too uniform");
            }
        }

        if (image is not null)
        {
            using Mat colourA = ImageFile.LoadColour(pathA), colourB = ImageFile.LoadColour(pathB);
            MatchDrawing.Write(image, colourA, colourB, matches, name);
        }

        var result = new Result(
            pathA,
            pathB,
            matches.FirstKeypoints.Length,
            matches.SecondKeypoints.Length,
            matches.Matches.Length,
            matches.VerifiedCount,
            matches.Geometry.ToString().ToLowerInvariant(),
            matches.Matrix,
            image,
            model.File.Unfinished,
            [.. matches.Matches.Select((match, i) =>
                new Pair(PlaceOf(matches.FirstKeypoints[match.Query]), PlaceOf(matches.SecondKeypoints[match.Target]), match.Distance, matches.Verified[i]))]);
        terminal.Result(result, console =>
        {
            console.WriteLine($"{result.KeypointsOfA} and {result.KeypointsOfB} keypoints, {result.Matches} matches, "
                + $"{result.Verified} of them verified ({Words(matches.Geometry)})");
            if (image is not null)
            {
                console.WriteLine($"image: {image}");
            }
        });
        return 0;
    }

    private static int RunFeatures(ParseResult line, Terminal terminal, string features)
    {
        foreach (Symbol one in new Symbol[] { First, Second, CommonOptions.Model, Limit, CommonOptions.MaxSide, Tolerance, Binary })
        {
            if (line.GetResult(one) is OptionResult { Implicit: false } or ArgumentResult { Tokens.Count: > 0 })
            {
                throw new UsageException($"{one.Name} is for two images, and --features {features} names many that are described already", "leave it out");
            }
        }

        if (line.GetValue(Out) is not { } output || !DescribeImages.IsFeatures(output))
        {
            throw new UsageException($"--out {line.GetValue(Out)}: the matches of --features are written as .h5", "--out matches.h5");
        }

        const double UsualRatio = 0.85;
        double ratio = line.GetValue(Ratio) ?? UsualRatio;
        if (!(ratio is > 0 and <= 1))
        {
            throw new UsageException($"--ratio {ratio}: it must be above 0 and at most 1");
        }

        using Device device = CommonOptions.OpenDevice(line, terminal);
        return MatchFeatures.Run(features, line.GetValue(Pairs)!, output, new MatchOptions(true, ratio), line.GetValue(Force), device, terminal);
    }

    private static Place PlaceOf(Keypoint keypoint) => new(keypoint.X, keypoint.Y, keypoint.Size, keypoint.Angle);

    private static string Words(MatchGeometry geometry) => geometry switch
    {
        MatchGeometry.Homography => "one homography",
        MatchGeometry.Fundamental => "epipolar geometry",
        _ => "no common geometry",
    };
}
