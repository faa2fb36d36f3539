using System.Globalization;
using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// Mikolajczyk and Schmid's evaluation of descriptors (PAMI 2005) on the Oxford sequences: elliptical regions of the first and each other image are matched
/// by the descriptors of their normalized patches; a match is right if the regions overlap by more than a half.
/// </summary>
public static class OxfordEvaluation
{
    private static readonly (MatchingStrategy Strategy, string Name, string Measure)[] Strategies =
    [
        (MatchingStrategy.NearestNeighbour, "nn", "one-to-one by rising distance, ranked by distance; P = one-to-one assignment by falling overlap"),
        (MatchingStrategy.Threshold, "threshold", "all pairs of regions, ranked by distance; P = all pairs that correspond"),
        (MatchingStrategy.Ratio, "ratio", "the pairs of nn, ranked by their distance over the first region's smallest other distance; P as for nn"),
    ];

    /// <summary>The protocol's second images: 2 to 6.</summary>
    public static IReadOnlyList<int> UsualImages { get; } = [2, 3, 4, 5, 6];

    /// <summary>Evaluates methods on the pairs (1, k) of sequences.</summary>
    /// <param name="data">The data's folder, for the result.</param>
    /// <param name="sequences">At least one sequence; names must differ.</param>
    /// <param name="methods">At least one method; names must differ.</param>
    /// <param name="detector">Finds the regions; the same ones for every method.</param>
    /// <param name="magnification">How much longer the axes of the described patch are than those of the detected region; overlaps always take 3.</param>
    /// <param name="images">The second images; null for <see cref="UsualImages"/>.</param>
    /// <param name="progress">Is told the part that is done, 0 to 1, and what is being done; or null.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>
    /// For each strategy mean average precision, a column a sequence (the mean over its pairs that have correspondences) and their mean; in tables of detail
    /// the average precision, correspondences and right answers of each pair.
    /// </returns>
    /// <exception cref="ArgumentException">There is nothing to evaluate, or two sequences or methods have one name.</exception>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, an image or homography is missing, an image has no regions, or no pair of a sequence has
    /// correspondences; the message names it.</exception>
    public static EvaluationRun Evaluate(
        string data,
        IReadOnlyList<ImageSequence> sequences,
        IReadOnlyList<IPatchDescriber> methods,
        RegionDetector detector,
        double magnification = RegionCorrespondences.MeasurementScale,
        IReadOnlyList<int>? images = null,
        Action<double, string>? progress = null,
        int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(detector);
        ResultNames.RequireDistinct(sequences.Select(sequence => sequence.Name), "sequence");
        ResultNames.RequireDistinct(methods.Select(method => method.Name), "method");
        SequenceImage[][] pairs = [.. sequences.Select(sequence => Chosen(sequence, images ?? UsualImages))];
        int total = pairs.Sum(chosen => chosen.Length);
        var scores = new List<PairScore>();
        var regions = new List<string>();
        for (int s = 0; s < sequences.Count; s++)
        {
            Described first = Describe(sequences[s].Reference, detector, methods, magnification, threads);
            var counts = new List<int> { first.Regions.Length };
            foreach (SequenceImage image in pairs[s])
            {
                progress?.Invoke((double)scores.Count / total, $"{sequences[s].Name} 1-{image.Number}");
                Described second = Describe(image.Path, detector, methods, magnification, threads);
                counts.Add(second.Regions.Length);
                scores.Add(Score(sequences[s].Name, image, first, second, threads));
            }

            if (scores.Where(score => score.Sequence == sequences[s].Name).All(score => score.ByMethod[0].All(one => one.AveragePrecision is null)))
            {
                throw new InvalidDataException(
                    $"{Path.GetDirectoryName(sequences[s].Reference)}: no regions correspond in any pair; are the homographies those of these images?");
            }

            regions.Add(string.Create(CultureInfo.InvariantCulture, $"{sequences[s].Name} {counts.Average():0}"));
        }

        return new EvaluationRun(
            "oxford",
            data,
            new Dictionary<string, string>
            {
                ["detector"] = $"{detector.Name}: {detector.Settings}",
                ["regions per image"] = string.Join(", ", regions),
                ["patches"] = string.Create(
                    CultureInfo.InvariantCulture, $"the ellipse with axes {magnification} times as long, made a circle, in a square of the method's own size"),
                ["overlap"] = "intersection over union above 0.5, axes 3 times as long, the second image's ellipses linearized into the first",
                ["pairs"] = string.Join(", ", (images ?? UsualImages).Select(image => $"1-{image}")),
            },
            [.. methods.Select(method => new EvaluatedMethod(method.Name, method.Dimension, method.IsBinary))],
            [
                .. Strategies.Select((_, k) => BySequence(k, sequences, methods, scores)),
                .. Strategies.SelectMany((_, k) => ByPair(k, methods, scores)),
            ],
            []);
    }

    private static SequenceImage[] Chosen(ImageSequence sequence, IReadOnlyList<int> images)
    {
        if (images.Count == 0 || images.Distinct().Count() < images.Count)
        {
            throw new ArgumentException("the second images must be at least one, each named once", nameof(images));
        }

        return [.. images.Select(image => sequence.Others.FirstOrDefault(other => other.Number == image) ?? throw new InvalidDataException(
            $"{Path.GetDirectoryName(sequence.Reference)} has no image {image} (img{image}.ppm, .pgm or .png): the pairs are "
                + string.Join(", ", images.Select(number => $"1-{number}"))))];
    }

    private static Described Describe(
        string path, RegionDetector detector, IReadOnlyList<IPatchDescriber> methods, double magnification, int threads)
    {
        using Mat grey = ImageFile.LoadGrey(path);
        OrientedRegion[] regions = detector.Detect(path, grey);
        if (regions.Length == 0)
        {
            throw new InvalidDataException($"{path} has no regions by the detector {detector.Name}: the image is too small or too uniform, or its file is empty");
        }

        var patches = new Dictionary<int, byte[]>();
        DescriptorSet[] descriptors = [.. methods.Select(method =>
        {
            if (!patches.TryGetValue(method.PatchSide, out byte[]? cut))
            {
                patches.Add(method.PatchSide, cut = RegionPatches.Cut(grey, regions, magnification, method.PatchSide, threads));
            }

            return method.Describe(cut, method.PatchSide);
        })];
        return new Described(Array.ConvertAll(regions, region => region.Shape), descriptors);
    }

    private static PairScore Score(string sequence, SequenceImage image, Described first, Described second, int threads)
    {
        RegionCorrespondences truth = RegionCorrespondences.Find(first.Regions, second.Regions, image.FromReference, threads);
        return new PairScore(sequence, image.Number, [.. first.Descriptors.Zip(second.Descriptors, (a, b) =>
        {
            var matching = new RegionMatching(a, b, truth, threads);
            return Array.ConvertAll(Strategies, strategy => matching.Score(strategy.Strategy));
        })]);
    }

    private static ScoreTable BySequence(int strategy, IReadOnlyList<ImageSequence> sequences, IReadOnlyList<IPatchDescriber> methods, List<PairScore> scores)
    {
        ScoreRow[] rows = [.. methods.Select((method, m) =>
        {
            double?[] means = [.. sequences.Select(sequence => scores
                .Where(score => score.Sequence == sequence.Name).Average(score => score.ByMethod[m][strategy].AveragePrecision))];
            return new ScoreRow(method.Name, [.. means, means.Average()]);
        })];
        return new ScoreTable(
            $"{Strategies[strategy].Name}, mAP",
            $"mean average precision, 1/P x the sum of the precision at each right match: {Strategies[strategy].Measure}; mean over the pairs of a sequence, "
                + "then over sequences",
            true,
            ScoreUnit.Fraction,
            [.. sequences.Select(sequence => sequence.Name), "mean"],
            rows);
    }

    // The counts of ratio are those of nn, and all that corresponds is among the answers of threshold.
    private static IEnumerable<ScoreTable> ByPair(int strategy, IReadOnlyList<IPatchDescriber> methods, List<PairScore> scores)
    {
        (_, string name, string measure) = Strategies[strategy];
        string[] columns = [.. scores.Select(score => $"{score.Sequence} 1-{score.Image}")];
        yield return Table("AP by pair", $"average precision: {measure}", ScoreUnit.Fraction, score => score.AveragePrecision);
        if (Strategies[strategy].Strategy != MatchingStrategy.Ratio)
        {
            yield return Table("P by pair", measure, ScoreUnit.Count, score => score.Positives);
        }

        if (Strategies[strategy].Strategy == MatchingStrategy.NearestNeighbour)
        {
            yield return Table("right by pair", $"right answers: {measure}", ScoreUnit.Count, score => score.Right);
        }

        ScoreTable Table(string title, string what, ScoreUnit unit, Func<RegionMatchingScore, double?> value) => new(
            $"{name}, {title}",
            what,
            true,
            unit,
            columns,
            [.. methods.Select((method, m) => new ScoreRow(method.Name, [.. scores.Select(score => value(score.ByMethod[m][strategy]))]))],
            IsDetail: true);
    }

    private sealed record Described(Ellipse[] Regions, DescriptorSet[] Descriptors);

    /// <summary>One pair of images: [method][strategy].</summary>
    private sealed record PairScore(string Sequence, int Image, RegionMatchingScore[][] ByMethod);
}
