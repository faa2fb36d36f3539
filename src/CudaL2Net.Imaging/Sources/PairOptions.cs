using System.Text.Json.Serialization;
using CudaL2Net.Data;

namespace CudaL2Net.Imaging.Sources;

/// <summary>
/// How patches of one place are made from one image: keypoints are found, and each is cut from the image and from copies that are warped, re-lit,
/// blurred and noisy, with the errors that a detector makes.
/// </summary>
public sealed record PairOptions
{
    /// <summary>Side of a patch in the image divided by the keypoint's size (a diameter). 10 was clearly better than 6 for SIFT keypoints.</summary>
    public double PatchScale { get; init; } = 10;

    /// <summary>
    /// What is kept of each patch besides its 32 x 32 pixels; any part makes patches be cut with 64 x 64 pixels. The network decides it, so it is no setting and
    /// is not written as JSON.
    /// </summary>
    [JsonIgnore]
    public PatchParts Parts { get; init; }

    /// <summary>Changed copies of each image, 1 or more; a point has up to one patch more.</summary>
    public int Copies { get; init; } = 2;

    /// <summary>The most points taken from an image at a time.</summary>
    public int PointsPerPicture { get; init; } = 400;

    /// <summary>Larger photographs are reduced to this many pixels on their longer side.</summary>
    public int LongestSide { get; init; } = 1024;

    /// <summary>Points where a patch's grey levels deviate by less than this (standard deviation) are skipped and counted.</summary>
    public double LeastDeviation { get; init; } = 3;

    /// <summary>Copies are scaled by a factor between 1 / this x 0.98 and this, log-uniform: 1.4 gives about 0.7 to 1.4.</summary>
    public double Scale { get; init; } = 1.4;

    /// <summary>The strongest tilt: one axis is shortened by a factor between 1 and this.</summary>
    public double Tilt { get; init; } = 1.7;

    /// <summary>The strongest perspective: the change of depth from the image's centre to its side.</summary>
    public double Perspective { get; init; } = 0.15;

    /// <summary>The probability of a rotation by any angle; otherwise it lies within <see cref="SmallRotation"/>.</summary>
    public double AnyRotation { get; init; } = 0.5;

    /// <summary>The largest ordinary rotation, radians.</summary>
    public double SmallRotation { get; init; } = 0.5;

    /// <summary>The probability of a blur; its sigma is uniform between 0.3 and <see cref="BlurSigma"/>.</summary>
    public double BlurProbability { get; init; } = 0.5;

    /// <summary>The strongest blur, pixels.</summary>
    public double BlurSigma { get; init; } = 1.8;

    /// <summary>The exponent of the tone curve lies between 1 / this and this, log-uniform.</summary>
    public double Gamma { get; init; } = 1.9;

    /// <summary>The lowest contrast.</summary>
    public double LeastContrast { get; init; } = 0.45;

    /// <summary>The highest contrast; grey levels beyond black and white are lost, as in an over-exposed photograph.</summary>
    public double GreatestContrast { get; init; } = 1.3;

    /// <summary>The probability of an S-shaped tone curve (or its inverse) on top of the exponent.</summary>
    public double ToneCurveProbability { get; init; } = 0.3;

    /// <summary>The probability that the light changes over the image: a slope, soft patches of light, and cast shadows with more or less sharp
    /// edges.</summary>
    public double LocalLightProbability { get; init; } = 0.4;

    /// <summary>The strongest noise: standard deviation in grey levels.</summary>
    public double Noise { get; init; } = 8;

    /// <summary>The probability of JPEG compression with a quality between 15 and 90.</summary>
    public double JpegProbability { get; init; } = 0.33;

    /// <summary>
    /// The probability that keypoints are detected in a copy too: a point then takes the detected keypoint that is nearest to where it should be, so its
    /// errors are the detector's own. Points that were not found again, and those of the other copies, get the errors below.
    /// </summary>
    public double DetectProbability { get; init; } = 0.5;

    /// <summary>Error of the scale: standard deviation of its logarithm.</summary>
    public double ScaleError { get; init; } = 0.12;

    /// <summary>Error of the orientation: standard deviation, radians.</summary>
    public double AngleError { get; init; } = 0.14;

    /// <summary>Error of the position: standard deviation of each coordinate, pixels.</summary>
    public double PositionError { get; init; } = 0.3;

    /// <summary>Further error of the position: standard deviation of each coordinate in keypoint sizes.</summary>
    public double PositionErrorPerSize { get; init; } = 0.06;

    /// <summary>
    /// The fraction of points that are followed by a twin: the same frame slid along the edge by 0.12 to 0.45 of the patch's side. Twins are points of their
    /// own and so the hardest of negatives: they teach to tell places along one straight structure apart.
    /// </summary>
    public double SlidTwins { get; init; }

    /// <summary>Throws where a value makes no sense.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(PatchScale is >= 1 and <= 100, $"{nameof(PatchScale)} must be 1 to 100, not {PatchScale}");
        Require(Copies is >= 1 and <= 16, $"{nameof(Copies)} must be 1 to 16, not {Copies}");
        Require(PointsPerPicture >= 1, $"{nameof(PointsPerPicture)} must be at least 1, not {PointsPerPicture}");
        Require(LongestSide >= 64, $"{nameof(LongestSide)} must be at least 64, not {LongestSide}");
        Require(LeastDeviation >= 0, $"{nameof(LeastDeviation)} must not be negative");
        Require(Scale is >= 1 and <= 4, $"{nameof(Scale)} must be 1 to 4, not {Scale}");
        Require(Tilt is >= 1 and <= 4, $"{nameof(Tilt)} must be 1 to 4, not {Tilt}");
        Require(Perspective is >= 0 and <= 0.4, $"{nameof(Perspective)} must be 0 to 0.4, not {Perspective}");
        Require(SmallRotation is >= 0 and <= Math.PI, $"{nameof(SmallRotation)} must be 0 to pi, not {SmallRotation}");
        Require(BlurSigma is >= 0.3 and <= 10, $"{nameof(BlurSigma)} must be 0.3 to 10, not {BlurSigma}");
        Require(Gamma is >= 1 and <= 5, $"{nameof(Gamma)} must be 1 to 5, not {Gamma}");
        Require(LeastContrast > 0 && GreatestContrast >= LeastContrast, $"contrast must be above 0 and ordered, not {LeastContrast} to {GreatestContrast}");
        foreach (double probability in new[] { AnyRotation, BlurProbability, ToneCurveProbability, LocalLightProbability, JpegProbability, DetectProbability,
            SlidTwins })
        {
            Require(probability is >= 0 and <= 1, $"a probability or fraction must be 0 to 1, not {probability}");
        }

        foreach (double size in new[] { Noise, ScaleError, AngleError, PositionError, PositionErrorPerSize })
        {
            Require(size >= 0 && double.IsFinite(size), $"noise and errors must be finite and not negative, not {size}");
        }
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ArgumentException(otherwise);
        }
    }
}
