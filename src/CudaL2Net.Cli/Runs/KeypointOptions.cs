using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Imaging.Keypoints;

namespace CudaL2Net.Cli.Runs;

/// <summary>The options of every command that finds keypoints in images. Their defaults are those of the library.</summary>
internal static class KeypointOptions
{
    /// <summary>What finds keypoints.</summary>
    public static readonly Option<Detector?> Detector = new("--detector")
    {
        Description = "What finds keypoints (OpenCV's, with its default settings): sift (the default), akaze, orb, brisk, mser (affine shapes), harris (one scale), or grid "
            + "(a regular grid, upright). Sizes are brought to SIFT's, twice sigma.",
        HelpName = "sift|akaze|orb|brisk|mser|harris|grid",
    };

    /// <summary>How many.</summary>
    public static readonly Option<int> Limit = new("--limit")
    {
        Description = "The most keypoints of an image, the strongest (of mser the largest).",
        HelpName = "N",
        DefaultValueFactory = _ => DetectionOptions.Default.Limit,
    };

    /// <summary>Without orientations.</summary>
    public static readonly Option<bool> Upright = new("--upright")
    {
        Description = "Keypoints have no orientation: patches are cut upright. For images that are not turned against one another.",
    };

    /// <summary>Where there are no keypoints.</summary>
    public static readonly Option<string?> Mask = new("--mask")
    {
        Description = "An image as large as the one that is searched: where it is 0 (black), there are no keypoints. Of several images a folder: the mask of a/b.jpg is "
            + "a/b.jpg.png in it, else a/b.png or a/b.jpg.",
        HelpName = "FILE|DIR",
    };

    /// <summary>How large patches are.</summary>
    public static readonly Option<double?> PatchScale = new("--patch-scale")
    {
        Description = "The side of the patch in the image, in diameters of the keypoint (SIFT's diameter is twice sigma). The default is the model's own, usually 6.",
        HelpName = "X",
    };

    static KeypointOptions() => Detector.AcceptOnlyFromAmong([.. Enum.GetNames<Detector>().Select(name => name.ToLowerInvariant())]);

    /// <summary>The options of the search alone, without <see cref="PatchScale"/>.</summary>
    public static IReadOnlyList<Option> Search { get; } = [Detector, Limit, CommonOptions.MaxSide, Upright, Mask];

    /// <summary>The search that a line asks for.</summary>
    /// <param name="line">The command line.</param>
    /// <param name="ownLimit">The command's own option in place of <see cref="Limit"/>, where it has another default.</param>
    /// <param name="ownMaxSide">The same for <see cref="CommonOptions.MaxSide"/>.</param>
    /// <exception cref="UsageException">A number is out of range.</exception>
    /// <exception cref="FileNotFoundException">There is no such mask.</exception>
    public static KeypointSearch SearchOf(ParseResult line, Option<int>? ownLimit = null, Option<int?>? ownMaxSide = null)
    {
        int limit = line.GetValue(ownLimit ?? Limit);
        if (limit < 1)
        {
            throw new UsageException($"--limit {limit}: it must be at least 1");
        }

        string? mask = line.GetValue(Mask);
        if (mask is not null && !Path.Exists(mask))
        {
            throw new FileNotFoundException($"--mask {mask} does not exist");
        }

        var options = new DetectionOptions
        {
            Detector = line.GetValue(Detector) ?? DetectionOptions.Default.Detector,
            Limit = limit,
            MaxSide = CommonOptions.CheckedMaxSide(line, ownMaxSide),
            Upright = line.GetValue(Upright),
        };
        return new KeypointSearch(options, mask, CommonOptions.CheckedThreads(line));
    }

    /// <summary>The scale of patches that a line asks for; null for the model's.</summary>
    /// <exception cref="UsageException">It is out of range.</exception>
    public static double? PatchScaleOf(ParseResult line) => line.GetValue(PatchScale) is { } scale and not (> 0 and <= 1000)
        ? throw new UsageException($"--patch-scale {scale}: it must be above 0 and at most 1000")
        : line.GetValue(PatchScale);

    /// <summary>Throws where a line has options that are of no use there.</summary>
    /// <param name="line">The command line.</param>
    /// <param name="options">The options.</param>
    /// <param name="reason">Why they are not.</param>
    /// <exception cref="UsageException">One of them is given.</exception>
    public static void Refuse(ParseResult line, IEnumerable<Option> options, string reason)
    {
        foreach (Option option in options)
        {
            if (line.GetResult(option) is { Implicit: false })
            {
                throw new UsageException($"{option.Name} has no use here: {reason}", $"leave {option.Name} out");
            }
        }
    }
}
