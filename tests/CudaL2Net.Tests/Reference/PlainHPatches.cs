using System.Globalization;
using CudaL2Net.Imaging.Description;
using OpenCvSharp;

namespace CudaL2Net.Tests.Reference;

/// <summary>
/// The tasks of HPatches as slowly and plainly as its rules read: whole lists of distances, sorted, from the files of a folder with task files.
/// </summary>
internal sealed class PlainHPatches(string folder, string split, string[] sequences, IPatchDescriber method)
{
    private const string Levels = "eht";

    private readonly Dictionary<(string Sequence, string Strip), float[][]> descriptors = [];

    /// <summary>(level, kind of negatives) to average precision by both definitions, and the area under the ROC curve.</summary>
    public IEnumerable<(double Python, double Matlab, double Auc)> Verification()
    {
        string[][] matches = Task("verif_pos");
        foreach (char level in Levels)
        {
            foreach (string kind in new[] { "intra", "inter" })
            {
                (double, bool)[] negatives = [.. Task($"verif_neg_{kind}").Select(pair => (Distance(pair, level), false))];
                (double, bool)[] positives = [.. matches.Select(pair => (Distance(pair, level), true))];
                (double, bool)[] few = [.. negatives, .. positives.Take(positives.Length / 5)];
                yield return (PlainScores.TrapezoidAp(few, positives.Length / 5), PlainScores.StepAp(few, positives.Length / 5),
                    PlainScores.Auc([.. negatives, .. positives]));
            }
        }
    }

    /// <summary>The mean over a sequence's five images at a level, by both definitions.</summary>
    public (double Python, double Matlab) Matching(string sequence, int level)
    {
        float[][] reference = Describe(sequence, "ref");
        (double, double)[] scores = [.. Enumerable.Range(1, 5).Select(image =>
        {
            float[][] target = Describe(sequence, $"{Levels[level]}{image}");
            (double, bool)[] answers = [.. reference.Select((query, row) =>
            {
                double[] distances = [.. target.Select(other => PlainScores.Euclidean(query, other))];
                int nearest = Array.IndexOf(distances, distances.Min());
                return (distances[nearest], nearest == row);
            })];
            return (PlainScores.TrapezoidAp(answers, reference.Length), PlainScores.StepAp(answers, reference.Length));
        })];
        return (scores.Average(score => score.Item1), scores.Average(score => score.Item2));
    }

    /// <summary>The mean over queries at a level among a pool, by both definitions; of one kind of sequences, or all.</summary>
    public (double Python, double Matlab) Retrieval(int level, int pool, string kind = "")
    {
        string[][] distractors = Task("retr_distractors");
        (double, double)[] scores = [.. Task("retr_queries").Where(query => query[0].StartsWith(kind, StringComparison.Ordinal)).Select(query =>
        {
            int row = Number(query[1]);
            float[] described = Describe(query[0], "ref")[row];
            IEnumerable<(double, bool)> right = Enumerable.Range(1, 5)
                .Select(image => (PlainScores.Euclidean(described, Describe(query[0], $"{Levels[level]}{image}")[row]), true));
            IEnumerable<(double, bool)> wrong = distractors.Where(other => other[0] != query[0])
                .Select(other => (PlainScores.Euclidean(described, Describe(other[0], "ref")[Number(other[1])]), false));
            (double, bool)[] answers = [.. right.Concat(wrong).Take(pool)];
            return (PlainScores.TrapezoidAp(answers, 5), PlainScores.StepAp(answers, 5));
        })];
        return (scores.Average(score => score.Item1), scores.Average(score => score.Item2));
    }

    public (double Python, double Matlab) Matching(int level, string kind = "")
    {
        (double Python, double Matlab)[] all =
            [.. sequences.Where(name => name.StartsWith(kind, StringComparison.Ordinal)).Select(sequence => Matching(sequence, level))];
        return (all.Average(score => score.Python), all.Average(score => score.Matlab));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private double Distance(string[] pair, char level) => PlainScores.Euclidean(
        Describe(pair[0], Strip(pair[1], level))[Number(pair[2])], Describe(pair[3], Strip(pair[4], level))[Number(pair[5])]);

    private static string Strip(string image, char level) => image == "0" ? "ref" : $"{level}{image}";

    private string[][] Task(string kind) =>
        [.. File.ReadAllLines(Path.Combine(folder, $"{kind}_split-{split}.csv")).Skip(1).Select(line => line.Split(','))];

    private float[][] Describe(string sequence, string strip)
    {
        if (!descriptors.TryGetValue((sequence, strip), out float[][]? rows))
        {
            using Mat image = Cv2.ImRead(Path.Combine(folder, sequence, strip + ".png"), ImreadModes.Grayscale);
            image.GetArray(out byte[] pixels);
            rows = PlainScores.Rows(method.Describe(pixels, 65));
            descriptors.Add((sequence, strip), rows);
        }

        return rows;
    }
}
