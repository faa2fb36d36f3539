using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;

namespace CudaL2Net.Imaging.Matching;

/// <summary>Options of matching two images. The defaults are those of the command-line tool.</summary>
public sealed record ImageMatchOptions
{
    /// <summary>The defaults.</summary>
    public static ImageMatchOptions Default { get; } = new();

    /// <summary>How keypoints are found.</summary>
    public DetectionOptions Detection { get; init; } = DetectionOptions.Default;

    /// <summary>
    /// Which nearest neighbours are matches: mutual ones whose distance is below 0.9 times that of the next neighbour. With several <see cref="Neighbours"/> mutual means
    /// that each keypoint is among those of the other, and the next is the first behind them all.
    /// </summary>
    public MatchOptions Match { get; init; } = new(true, 0.9);

    /// <summary>How many nearest keypoints of the second image each keypoint of the first is matched with; at least 1.</summary>
    public int Neighbours { get; init; } = 1;

    /// <summary>
    /// Pixels, above 0: the ratio is taken of the first geometrically inconsistent neighbour (FGINN; Mishkin et al., CVIU 2015), the next one that lies farther than this
    /// from the match's place in the second image. So a place that was detected twice does not spoil its own match. 10 is usual; null takes the next one wherever it lies.
    /// </summary>
    public double? InconsistentDistance { get; init; }

    /// <summary>The largest error of a verified match in pixels, above 0: from the mapped point, or from the epipolar lines of both images.</summary>
    public double Tolerance { get; init; } = 3;

    /// <summary>Throws where a number is out of range.</summary>
    internal void Check()
    {
        if (!(Tolerance > 0))
        {
            throw new ArgumentException($"the tolerance must be above 0 pixels, not {Tolerance}");
        }

        if (Neighbours < 1)
        {
            throw new ArgumentException($"a keypoint is matched with at least 1 neighbour, not {Neighbours}");
        }

        if (InconsistentDistance is { } apart && !(apart > 0))
        {
            throw new ArgumentException($"the distance of inconsistent neighbours must be above 0 pixels, not {apart}");
        }

        if (!(Match.Ratio > 0))
        {
            throw new ArgumentException($"the ratio must be above 0, not {Match.Ratio}");
        }
    }
}
