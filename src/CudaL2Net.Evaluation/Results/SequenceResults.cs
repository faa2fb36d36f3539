using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Results;

/// <summary>What an evaluation on image sequences found.</summary>
/// <param name="Measure">What the numbers are, in words.</param>
/// <param name="Keypoints">The most keypoints taken from an image.</param>
/// <param name="Methods">The methods, in the order given.</param>
public sealed record SequenceResults(string Measure, int Keypoints, IReadOnlyList<MethodResult> Methods)
{
    private const int CurvePoints = 400;

    /// <summary>The results as JSON: <c>{"measure": ..., "methods": [{"name": ..., "mean": ..., "sequences": {"graf": ...}, "pairs": [...]}]}</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SequenceResultsJson.Relaxed.SequenceResults);

    /// <summary>The results in the form that all evaluations share, for a report.</summary>
    /// <param name="data">The folders of the sequences.</param>
    public EvaluationRun ToRun(string data)
    {
        string[] sequences = [.. Methods[0].Sequences.Keys];
        string[] pairs = [.. Methods[0].Pairs.Select(pair => $"{pair.Sequence} 1-{pair.Image}")];
        return new EvaluationRun(
            "sequences",
            data,
            new Dictionary<string, string> { ["keypoints"] = $"at most {Keypoints} per image, the same for every method" },
            [.. Methods.Select(method => new EvaluatedMethod(method.Name, method.Dimension, IsBinary: false))],
            [
                new ScoreTable("mAP by sequence", Measure, true, ScoreUnit.Fraction, [.. sequences, "mean"], [.. Methods.Select(method =>
                    new ScoreRow(method.Name, [.. sequences.Select(name => (double?)method.Sequences[name]), method.Mean]))]),
                new ScoreTable(
                    "FPR95", "false positive rate at 95% recall, corresponding keypoints against random ones", false, ScoreUnit.Percent, ["all pairs"],
                    [.. Methods.Select(method => new ScoreRow(method.Name, [method.Fpr95]))]),
                new ScoreTable("AP by pair", Measure, true, ScoreUnit.Fraction, pairs, [.. Methods.Select(method =>
                    new ScoreRow(method.Name, [.. method.Pairs.Select(pair => pair.AveragePrecision)]))], IsDetail: true),
            ],
            [.. Methods.Select(method => new VerificationCurve(method.Name, "all pairs", method.Verification.Thin(CurvePoints), [], []))]);
    }
}

/// <summary>One method's results.</summary>
/// <param name="Name">The method.</param>
/// <param name="Dimension">Values, or bits, of its descriptors.</param>
/// <param name="Mean">Mean average precision over all pairs that have correspondences, 0 to 1.</param>
/// <param name="Sequences">The mean over each sequence's pairs.</param>
/// <param name="Fpr95">FPR95 of telling corresponding keypoints from random ones, over all pairs of images, 0 to 1.</param>
/// <param name="Auc">Area under the ROC curve of the same.</param>
/// <param name="Pairs">Each pair of images.</param>
/// <param name="Verification">
/// The curve of verification, not in the JSON: each keypoint of the first image with its nearest correspondent whose orientation agrees within
/// 30 degrees, and with a keypoint of the second image drawn at random from those that do not correspond; the same pairs for every method.
/// </param>
public sealed record MethodResult(
    string Name,
    int Dimension,
    double Mean,
    IReadOnlyDictionary<string, double> Sequences,
    double Fpr95,
    double Auc,
    IReadOnlyList<PairResult> Pairs,
    [property: JsonIgnore] RocCurve Verification);

/// <summary>One method on one pair of images.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Image">The second image's number; the first one is 1.</param>
/// <param name="AveragePrecision">0 to 1; null where no keypoint has a correspondence.</param>
/// <param name="Keypoints">Keypoints of the first image.</param>
/// <param name="TargetKeypoints">Keypoints of the second image.</param>
/// <param name="Correspondences">Keypoints of the first image that have a correspondence: P.</param>
/// <param name="Right">Keypoints of the first image whose nearest descriptor belongs to a correspondence.</param>
public sealed record PairResult(string Sequence, int Image, double? AveragePrecision, int Keypoints, int TargetKeypoints, int Correspondences, int Right);

[JsonSerializable(typeof(SequenceResults))]
internal sealed partial class SequenceResultsJson : JsonSerializerContext
{
    // Names of folders are written as they are, not as \u escapes.
    public static SequenceResultsJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    });
}
