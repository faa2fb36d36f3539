using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// Keypoint matching on image pairs with a known homography. The strongest SIFT keypoints of both images, the same for every method; each keypoint of
/// the first image takes its nearest in the second. The answer is right if the two correspond: reprojection error at most 3 pixels, scale ratio, seen
/// through the homography, within 1.5. Average precision ranks the answers by distance; P is the number of keypoints that have a correspondence.
/// </summary>
/// <param name="device">Where nearest descriptors are searched.</param>
/// <param name="keypoints">The most keypoints taken from an image.</param>
/// <param name="definition">Which average precision.</param>
/// <param name="maxSide">The most pixels of the longer side of the image in which keypoints are searched; null for the image as it is.</param>
public sealed class SequenceEvaluation(
    Device device, int keypoints = SequenceEvaluation.DefaultKeypoints, AveragePrecision definition = AveragePrecision.Trapezoid, int? maxSide = null)
{
    /// <summary>The protocol's limit of keypoints.</summary>
    public const int DefaultKeypoints = 1500;

    private readonly DescriptorSearch matcher = new(device);

    /// <summary>Evaluates methods on all pairs (1, k) of the sequences.</summary>
    /// <param name="sequences">At least one sequence; names must differ.</param>
    /// <param name="methods">At least one method; names must differ.</param>
    /// <param name="progress">Told after every pair how many are done, or null.</param>
    /// <param name="cancellation">Stops between two images.</param>
    /// <exception cref="ArgumentException">Nothing to evaluate, or two sequences or methods have one name.</exception>
    /// <exception cref="IOException">An image cannot be read.</exception>
    /// <exception cref="InvalidDataException">An image is damaged, or no pair has a keypoint with a correspondence.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public SequenceResults Evaluate(
        IReadOnlyList<ImageSequence> sequences,
        IReadOnlyList<IKeypointDescriber> methods,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(methods);
        ResultNames.RequireDistinct(sequences.Select(sequence => sequence.Name), "sequence");
        ResultNames.RequireDistinct(methods.Select(method => method.Name), "method");

        MethodTally[] tallies = [.. methods.Select(method => new MethodTally(method))];
        int done = 0;
        foreach (ImageSequence sequence in sequences)
        {
            foreach (SequenceImage image in EvaluateSequence(sequence, tallies, cancellation))
            {
                progress?.Report(++done);
            }
        }

        if (!tallies[0].HasVerificationPairs)
        {
            throw new InvalidDataException("too few keypoints have a correspondence: are the homographies those of these images?");
        }

        string measure = $"mean average precision ({definition.ToString().ToLowerInvariant()}) of keypoint matching, pairs 1-k, SIFT keypoints, "
            + $"correspondence within {Correspondences.LargestError} px and scale ratio {Correspondences.LargestScaleRatio}"
            + (maxSide is null ? string.Empty : $"; keypoints searched in images reduced to {maxSide} pixels on the longer side");
        return new SequenceResults(measure, keypoints, [.. tallies.Select(tally => tally.Result())]);
    }

    private IEnumerable<SequenceImage> EvaluateSequence(ImageSequence sequence, MethodTally[] tallies, CancellationToken cancellation)
    {
        // No more than the reference and two others are in memory.
        Lazy<DetectedImage> next = Detect(sequence.Reference);
        using DetectedImage reference = next.Value;
        next = Detect(sequence.Others[0].Path);
        DescriptorSet[] described = [.. tallies.Select(tally => tally.Method.Describe(reference.Grey, reference.Keypoints))];
        for (int k = 0; k < sequence.Others.Count; k++)
        {
            using DetectedImage detected = next.Value;
            SequenceImage image = sequence.Others[k];
            if (k + 1 < sequence.Others.Count)
            {
                next = Detect(sequence.Others[k + 1].Path);
            }

            cancellation.ThrowIfCancellationRequested();
            var correspondences = new Correspondences(reference.Keypoints, detected.Keypoints, image.FromReference, device.Threads);
            List<(int First, int Second, bool Match)> verification =
                DrawVerificationPairs(correspondences, reference.Keypoints.Length, detected.Keypoints.Length, image.Number);
            for (int m = 0; m < tallies.Length; m++)
            {
                DescriptorSet target = tallies[m].Method.Describe(detected.Grey, detected.Keypoints);
                tallies[m].Pairs.Add(Score(sequence.Name, image.Number, described[m], target, correspondences));
                tallies[m].Verify(described[m], target, verification);
            }

            yield return image;
        }
    }

    /// <summary>Reads an image and finds its keypoints: where all cores may be used, while the one before it is described and matched.</summary>
    private Lazy<DetectedImage> Detect(string path)
    {
        if (device.Threads < Environment.ProcessorCount || device.Threads == 1)
        {
            return new Lazy<DetectedImage>(Now);
        }

        Task<DetectedImage> task = Task.Run(Now);
        return new Lazy<DetectedImage>(() => task.GetAwaiter().GetResult());

        DetectedImage Now()
        {
            Mat grey = ImageFile.LoadGrey(path);
            return new DetectedImage(grey, KeypointDetector.Detect(grey, keypoints, maxSide));
        }
    }

    private PairResult Score(string sequence, int image, DescriptorSet first, DescriptorSet second, Correspondences correspondences)
    {
        DescriptorMatch[] matches = matcher.Nearest(first, second);
        float[] distances = Array.ConvertAll(matches, match => match.Distance);
        bool[] right = Array.ConvertAll(matches, match => correspondences.Contains(match.Query, match.Target));
        double? precision = correspondences.Positives == 0 ? null : RankedRetrieval.AveragePrecisionOf(distances, right, correspondences.Positives, definition);
        return new PairResult(sequence, image, precision, first.Count, second.Count, correspondences.Positives, right.Count(answer => answer));
    }

    private static List<(int First, int Second, bool Match)> DrawVerificationPairs(Correspondences correspondences, int firstCount, int secondCount, int image)
    {
        var random = new PhiloxStream(0, DrawPurpose.Evaluation, (uint)image);
        var pairs = new List<(int First, int Second, bool Match)>();
        for (int i = 0; i < firstCount; i++)
        {
            if (correspondences.AlignedPartner(i) < 0)
            {
                continue;
            }

            pairs.Add((i, correspondences.AlignedPartner(i), true));
            int other = random.Next(secondCount);
            for (int draws = 1; draws < 20 && correspondences.Contains(i, other); draws++)
            {
                other = random.Next(secondCount);
            }

            if (!correspondences.Contains(i, other))
            {
                pairs.Add((i, other, false));
            }
        }

        return pairs;
    }

    private sealed class DetectedImage(Mat grey, Keypoint[] keypoints) : IDisposable
    {
        public Mat Grey => grey;

        public Keypoint[] Keypoints => keypoints;

        public void Dispose() => grey.Dispose();
    }

    private sealed class MethodTally(IKeypointDescriber method)
    {
        private readonly List<float> distances = [];
        private readonly List<bool> labels = [];

        public IKeypointDescriber Method => method;

        public List<PairResult> Pairs { get; } = [];

        public bool HasVerificationPairs => labels.Contains(true) && labels.Contains(false);

        public void Verify(DescriptorSet first, DescriptorSet second, List<(int First, int Second, bool Match)> pairs)
        {
            foreach ((int a, int b, bool match) in pairs)
            {
                distances.Add(first.Distance(a, second, b));
                labels.Add(match);
            }
        }

        public MethodResult Result()
        {
            PairResult[] scored = [.. Pairs.Where(pair => pair.AveragePrecision is not null)];
            RocCurve verification = RocCurve.FromDistances(distances.ToArray(), labels.ToArray());
            return new MethodResult(
                method.Name,
                method.Dimension,
                scored.Average(pair => pair.AveragePrecision!.Value),
                scored.GroupBy(pair => pair.Sequence).ToDictionary(group => group.Key, group => group.Average(pair => pair.AveragePrecision!.Value)),
                verification.Fpr95,
                verification.Auc,
                Pairs,
                verification);
        }
    }
}
