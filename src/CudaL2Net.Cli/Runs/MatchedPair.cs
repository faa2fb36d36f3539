using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using OpenCvSharp;

namespace CudaL2Net.Cli.Runs;

/// <summary>Images of matched keypoints for reports.</summary>
internal static class MatchedPair
{
    private const int MostSequences = 8, Keypoints = 1200;

    /// <summary>Draws the matches of two images.</summary>
    /// <param name="first">The first image's file.</param>
    /// <param name="second">The second image's file.</param>
    /// <param name="caption">The text above.</param>
    /// <param name="describer">The method.</param>
    /// <param name="device">Where nearest descriptors are searched.</param>
    /// <returns>A PNG file's bytes.</returns>
    public static byte[] Draw(string first, string second, string caption, IKeypointDescriber describer, Device device)
    {
        using Mat firstColour = ImageFile.LoadColour(first), secondColour = ImageFile.LoadColour(second);
        using Mat firstGrey = ImageFile.LoadGrey(first), secondGrey = ImageFile.LoadGrey(second);
        ImageMatches matches = new ImageMatcher(device, describer).Match(firstGrey, secondGrey, ImageMatchOptions.Default with { KeypointLimit = Keypoints });
        return MatchDrawing.Draw(firstColour, secondColour, matches, caption);
    }

    /// <summary>One pair, 1-3 where there is one, of each of the first sequences, matched by one method.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <param name="method">The method.</param>
    /// <param name="device">Where nearest descriptors are searched.</param>
    public static IReadOnlyList<ReportImage> OfSequences(IReadOnlyList<ImageSequence> sequences, IPatchDescriber method, Device device)
    {
        IKeypointDescriber describer = CutPatchDescriber.For((method as RecordingDescriber)?.Method ?? method, device.Threads);
        return
        [
            .. sequences.Take(MostSequences).Select(sequence =>
            {
                SequenceImage other = sequence.Others[Math.Min(1, sequence.Others.Count - 1)];
                string caption = $"{sequence.Name}, images 1 and {other.Number}";
                return new ReportImage(
                    $"{caption}, {method.Name}: mutual nearest neighbours of SIFT keypoints; the coloured ones agree with one geometry.",
                    Draw(sequence.Reference, other.Path, caption, describer, device));
            }),
        ];
    }
}
