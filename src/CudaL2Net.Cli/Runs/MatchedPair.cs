using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using OpenCvSharp;

namespace CudaL2Net.Cli.Runs;

/// <summary>Images of matched keypoints for reports.</summary>
internal static class MatchedPair
{
    private const int MostSequences = 8, MostImages = 12;

    /// <summary>Draws the matches of two images.</summary>
    /// <param name="first">The first image's file.</param>
    /// <param name="second">The second image's file.</param>
    /// <param name="caption">The text above.</param>
    /// <param name="describer">The method.</param>
    /// <param name="device">Where nearest descriptors are searched.</param>
    /// <param name="keypoints">The most keypoints of an image.</param>
    /// <returns>The image; its caption says what was found.</returns>
    public static ReportImage Draw(
        string first, string second, string caption, IKeypointDescriber describer, Device device, int keypoints = SequenceEvaluation.DefaultKeypoints)
    {
        using Mat firstColour = ImageFile.LoadColour(first), secondColour = ImageFile.LoadColour(second);
        using Mat firstGrey = ImageFile.LoadGrey(first), secondGrey = ImageFile.LoadGrey(second);
        ImageMatches matches = new ImageMatcher(device, describer).Match(firstGrey, secondGrey, new ImageMatchOptions { Detection = new DetectionOptions { Limit = keypoints } });
        string found = $"{caption}: {MatchDrawing.Found(matches)}. Mutual nearest neighbours of at most {keypoints} SIFT keypoints per image; the coloured ones "
            + "agree with one geometry.";
        return new ReportImage(found, MatchDrawing.Draw(firstColour, secondColour, matches, caption));
    }

    /// <summary>One pair, 1-3 where there is one, of each of the first sequences, matched by each method; fewer sequences of many methods.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <param name="methods">The methods.</param>
    /// <param name="device">Where nearest descriptors are searched.</param>
    /// <param name="keypoints">The most keypoints of an image.</param>
    /// <param name="images">The images that may be shown beside the first; null for all.</param>
    public static IReadOnlyList<ReportImage> OfSequences(
        IReadOnlyList<ImageSequence> sequences, IReadOnlyList<IPatchDescriber> methods, Device device, int keypoints, IReadOnlyList<int>? images = null)
    {
        int shown = Math.Clamp(MostImages / methods.Count, 1, MostSequences);
        return
        [
            .. from sequence in sequences.Take(shown)
               let others = sequence.Others.Where(other => images is null || images.Contains(other.Number)).ToArray()
               where others.Length > 0
               let other = others[Math.Min(1, others.Length - 1)]
               from method in methods
               let describer = CutPatchDescriber.For((method as RecordingDescriber)?.Method ?? method, device.Threads)
               select Draw(
                   sequence.Reference, other.Path, $"{method.Name} on {sequence.Name}, images 1 and {other.Number}", describer, device, keypoints),
        ];
    }
}
