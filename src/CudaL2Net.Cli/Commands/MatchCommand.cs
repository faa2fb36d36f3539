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

/// <summary><c>cudal2net match</c>: the same places in two images, or the nearest of descriptors that were stored.</summary>
internal static class MatchCommand
{
    private static readonly Argument<string?> First = new("A")
    {
        Description = "The first image; or its descriptors, an .npy that `describe` wrote (floats are compared by Euclidean distance, bytes as packed bits by "
            + "Hamming distance) or one array of an archive, FILE.npz:NAME.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> Second = new("B") { Description = "The second image, or its descriptors.", Arity = ArgumentArity.ZeroOrOne };

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

    private static readonly Option<string[]> Out = new("--out", "-o")
    {
        Description = "Where to write; may be given twice. A .csv: a row for each match, a,b,distance,ratio (a and b count keypoints from 0), and where keypoints are "
            + "known xa,ya,xb,yb,verified. A .png: both images with their matches, the verified ones in colour. For --features "
            + "the .h5 to write.",
        HelpName = "FILE.csv|FILE.png|FILE.h5",
    };

    private static readonly Option<string[]> KeypointsIn = new("--keypoints")
    {
        Description = "The keypoints of A and of B, two files of any kind that `describe --keypoints` takes: of images they are described instead of looking for some; of "
            + "stored descriptors they give the places, so that matches are verified.",
        HelpName = "FILE_A FILE_B",
        Arity = new ArgumentArity(1, 2),
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string[]> KeypointsOut = new("--keypoints-out")
    {
        Description = "Where to write the keypoints that were found in A and in B, two files, .csv or .npy.",
        HelpName = "FILE_A FILE_B",
        Arity = new ArgumentArity(1, 2),
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Write the found keypoints over files that hold other ones. For --features: begin anew what a run with other options left." };

    private static readonly Option<double> Ratio = new("--ratio")
    {
        Description = "Keep a match only if its distance is below R times that of the next neighbour, the first behind the --knn nearest; 1 keeps all. For --features 0.85 unless given.",
        HelpName = "R",
        DefaultValueFactory = _ => ImageMatchOptions.Default.Match.Ratio,
    };

    private static readonly Option<double?> Fginn = new("--fginn")
    {
        Description = "Take the ratio of the first geometrically inconsistent neighbour: the next one that lies more than this many pixels from the match in B, so that a "
            + "place detected twice does not spoil its own match. 10 is usual. Stored descriptors need --keypoints.",
        HelpName = "PIXELS",
    };

    private static readonly Option<bool> Mutual = new("--mutual")
    {
        Description = "Keep a match only if each keypoint is among the --knn nearest of the other; `--mutual false` keeps all. For --features always.",
        DefaultValueFactory = _ => ImageMatchOptions.Default.Match.Mutual,
    };

    private static readonly Option<int> Knn = new("--knn")
    {
        Description = "Match each keypoint of A with its K nearest in B.",
        HelpName = "K",
        DefaultValueFactory = _ => ImageMatchOptions.Default.Neighbours,
    };

    private static readonly Option<double> Tolerance = new("--tolerance")
    {
        Description = "The largest error of a verified match, in pixels.",
        HelpName = "PIXELS",
        DefaultValueFactory = _ => ImageMatchOptions.Default.Tolerance,
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Match the model's binary form by Hamming distance." };

    private sealed record Result(
        string A,
        string B,
        int KeypointsOfA,
        int KeypointsOfB,
        int Matches,
        int? Verified,
        string? Geometry,
        double[]? Matrix,
        string? Image,
        string? Table,
        string? Unfinished,
        IReadOnlyList<MatchRow> Pairs);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "match",
            "Match the keypoints of two images and verify the matches with RANSAC (a homography or a fundamental matrix); or match stored descriptors.",
            "cudal2net match a.jpg b.jpg --out matches.png",
            "cudal2net match a.jpg b.jpg --detector akaze --mutual --ratio 0.8 --fginn 10 --out matches.csv --keypoints-out a.csv b.csv",
            "cudal2net match a.npy b.npy --keypoints a.keypoints.csv b.keypoints.csv --out matches.csv",
            "cudal2net match --features features.h5 --pairs sequential:10 --out matches.h5",
            "cudal2net match a.jpg b.jpg --model runs/first --knn 3 --mutual false --ratio 1 --json")
        {
            First, Second, Features, Pairs, CommonOptions.Model, Out, Mutual, Ratio, Fginn, Knn, Tolerance, Binary, KeypointsIn, KeypointsOut, Force,
            KeypointOptions.Detector, KeypointOptions.Limit, CommonOptions.MaxSide, KeypointOptions.Upright, KeypointOptions.Mask, KeypointOptions.PatchScale,
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

        KeypointOptions.Refuse(line, [Pairs], "it is for --features");
        ImageMatchOptions options = OptionsOf(line);
        RequireTwo(line, KeypointsIn);
        RequireTwo(line, KeypointsOut);
        (string? table, string? image) = OutputsOf(line);
        bool stored = PatchInput.IsArray(pathA);
        if (stored != PatchInput.IsArray(pathB))
        {
            throw new UsageException($"{pathA} and {pathB}: one is an image and the other an array of descriptors", "name two images, or two arrays");
        }

        Result result = stored ? MatchStored(line, terminal, pathA, pathB, options, image) : MatchImages(line, terminal, pathA, pathB, options, image);
        if (table is not null)
        {
            MatchTable.Write(table, result.Pairs, result.Verified is not null);
            result = result with { Table = table };
        }

        terminal.Result(result, console =>
        {
            console.WriteLine($"{result.KeypointsOfA} and {result.KeypointsOfB} {(stored ? "descriptors" : "keypoints")}, {result.Matches} matches"
                + (result.Geometry is null ? string.Empty : $", {result.Verified} of them verified ({Words(result.Geometry)})"));
            foreach ((string kind, string? file) in new[] { ("matches", table), ("image", image) }.Where(output => output.Item2 is not null))
            {
                console.WriteLine($"{kind}: {file}");
            }
        });
        return 0;
    }

    private static int RunFeatures(ParseResult line, Terminal terminal, string features)
    {
        Symbol[] ofTwo =
        [
            First, Second, CommonOptions.Model, Tolerance, Binary, Fginn, Knn, KeypointsIn, KeypointsOut, .. KeypointOptions.Search, KeypointOptions.PatchScale,
        ];
        foreach (Symbol one in ofTwo)
        {
            if (line.GetResult(one) is OptionResult { Implicit: false } or ArgumentResult { Tokens.Count: > 0 })
            {
                throw new UsageException($"{one.Name} is for two images, and --features {features} names many that are described already", $"leave {one.Name} out");
            }
        }

        if (line.GetValue(Out) is not [var output] || !DescribeImages.IsFeatures(output))
        {
            throw new UsageException($"--out {string.Join(' ', line.GetValue(Out) ?? [])}: the matches of --features are written as .h5", "--out matches.h5");
        }

        if (!line.GetValue(Mutual))
        {
            throw new UsageException("--mutual false: hloc's files hold one match per keypoint, and those of --features are mutual", "leave it out");
        }

        const double UsualRatio = 0.85;
        double ratio = line.GetResult(Ratio) is { Implicit: false } ? CheckedRatio(line, Ratio) : UsualRatio;
        using Device device = CommonOptions.OpenDevice(line, terminal);
        return MatchFeatures.Run(features, line.GetValue(Pairs)!, output, new MatchOptions(true, ratio), line.GetValue(Force), device, terminal);
    }

    /// <summary>The limit of the ratio test that the line asks for.</summary>
    /// <exception cref="UsageException">It is out of range.</exception>
    internal static double CheckedRatio(ParseResult line, Option<double> option) => line.GetValue(option) is var ratio and > 0 and <= 1
        ? ratio
        : throw new UsageException($"--ratio {line.GetValue(option)}: it must be above 0 and at most 1");

    private static ImageMatchOptions OptionsOf(ParseResult line)
    {
        double ratio = CheckedRatio(line, Ratio), tolerance = line.GetValue(Tolerance);
        int neighbours = line.GetValue(Knn);
        if (neighbours < 1)
        {
            throw new UsageException($"--knn {neighbours}: it must be at least 1");
        }

        if (line.GetValue(Fginn) is { } apart && !(apart > 0))
        {
            throw new UsageException($"--fginn {apart}: it must be above 0 pixels", "--fginn 10");
        }

        return tolerance > 0
            ? new ImageMatchOptions
            {
                Match = new MatchOptions(line.GetValue(Mutual), ratio),
                Neighbours = neighbours,
                InconsistentDistance = line.GetValue(Fginn),
                Tolerance = tolerance,
            }
            : throw new UsageException($"--tolerance {tolerance}: it must be above 0 pixels");
    }

    private static void RequireTwo(ParseResult line, Option<string[]> option)
    {
        if (line.GetValue(option) is [var only])
        {
            throw new UsageException($"{option.Name} {only}: it takes two files, that of A and that of B", $"{option.Name} a.csv b.csv");
        }
    }

    private static (string? Table, string? Image) OutputsOf(ParseResult line)
    {
        string? table = null, image = null;
        foreach (string output in line.GetValue(Out) ?? [])
        {
            ref string? place = ref table;
            switch (Path.GetExtension(output).ToLowerInvariant())
            {
                case ".csv": break;
                case ".png": place = ref image; break;
                default:
                    throw new UsageException(
                    $"--out {output}: matches are written as .csv, the image of them as .png", $"--out {Path.ChangeExtension(output, ".csv")}, --out {Path.ChangeExtension(output, ".png")}");
            }

            place = place is null ? output : throw new UsageException($"--out {place} and --out {output} are of one kind", "name one of them");
        }

        return (table, image);
    }

    private static Result MatchStored(ParseResult line, Terminal terminal, string pathA, string pathB, ImageMatchOptions options, string? image)
    {
        KeypointOptions.Refuse(
            line, [.. KeypointOptions.Search, KeypointOptions.PatchScale, KeypointsOut, CommonOptions.Model, Binary], $"{pathA} and {pathB} are descriptors already");
        string[] given = line.GetValue(KeypointsIn) ?? [];
        if (image is not null)
        {
            throw new UsageException($"--out {image}: an image of the matches needs images, and {pathA} is an array", "--out matches.csv");
        }

        if (options.InconsistentDistance is not null && given.Length == 0)
        {
            throw new UsageException("--fginn needs to know where the keypoints lie", "--keypoints a.keypoints.csv b.keypoints.csv");
        }

        DescriptorSet a = DescriptorInput.Read(pathA), b = DescriptorInput.Read(pathB);
        DescriptorInput.RequireSameKind(pathA, a, pathB, b);
        Keypoint[][] keypoints = given.Length == 0
            ? []
            : [DescriptorInput.ReadKeypoints(given[0], pathA, a), DescriptorInput.ReadKeypoints(given[1], pathB, b)];
        using Device device = CommonOptions.OpenDevice(line, terminal);
        var matcher = new KeypointMatcher(device);
        if (keypoints is [var first, var second])
        {
            return ResultOf(pathA, pathB, matcher.Match(a, first, b, second, options));
        }

        DescriptorMatch[] matches = matcher.Match(a, b, options, null);
        return new Result(pathA, pathB, a.Count, b.Count, matches.Length, null, null, null, null, null, null, MatchTable.Of(matches));
    }

    private static Result MatchImages(ParseResult line, Terminal terminal, string pathA, string pathB, ImageMatchOptions options, string? image)
    {
        KeypointSearch search = KeypointOptions.SearchOf(line);
        double? patchScale = KeypointOptions.PatchScaleOf(line);
        string[] given = line.GetValue(KeypointsIn) ?? [], found = line.GetValue(KeypointsOut) ?? [];
        if (given.Length > 0)
        {
            KeypointOptions.Refuse(
                line,
                [.. KeypointOptions.Search.Where(option => option != KeypointOptions.Upright), KeypointsOut],
                $"with --keypoints {given[0]} {given[1]} all in the files are matched");
        }

        using Mat a = ImageFile.LoadGrey(pathA), b = ImageFile.LoadGrey(pathB);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using PatchModel model = ModelInput.LoadDescriber(line, terminal, device);
        string name = ModelInput.NameOf(line.GetValue(CommonOptions.Model), model);
        bool binary = ModelInput.IsBinary(line.GetValue(Binary), model);
        var describer = new CutPatchDescriber(new ModelDescriber(name, model, binary, patchScale), device.Threads);
        Keypoint[] keypointsA = Keypoints(pathA, a, 0), keypointsB = Keypoints(pathB, b, 1);
        ImageMatches matches = new ImageMatcher(device, describer).Match(a, keypointsA, b, keypointsB, options);
        if (found.Length > 0)
        {
            KeypointFile.Write(found[0], keypointsA);
            KeypointFile.Write(found[1], keypointsB);
        }

        if (image is not null)
        {
            using Mat colourA = ImageFile.LoadColour(pathA), colourB = ImageFile.LoadColour(pathB);
            MatchDrawing.Write(image, colourA, colourB, matches, name);
        }

        return ResultOf(pathA, pathB, matches) with { Image = image, Unfinished = model.File.Unfinished };

        Keypoint[] Keypoints(string path, Mat grey, int index)
        {
            if (given.Length > 0)
            {
                return KeypointInput.Read(given[index], path, grey, model.PatchSide / (patchScale ?? model.PatchScale), search.Options.Upright);
            }

            Keypoint[] keypoints = search.FindSome(path, Path.GetFileName(path), grey);
            if (found.Length > 0 && !line.GetValue(Force))
            {
                KeypointInput.RequireNoOthers(found[index], keypoints);
            }

            return keypoints;
        }
    }

    private static Result ResultOf(string pathA, string pathB, ImageMatches matches) => new(
        pathA,
        pathB,
        matches.FirstKeypoints.Length,
        matches.SecondKeypoints.Length,
        matches.Matches.Length,
        matches.VerifiedCount,
        matches.Geometry.ToString().ToLowerInvariant(),
        matches.Matrix,
        null,
        null,
        null,
        MatchTable.Of(matches));

    private static string Words(string geometry) => geometry switch
    {
        "homography" => "one homography",
        "fundamental" => "epipolar geometry",
        _ => "no common geometry",
    };
}
