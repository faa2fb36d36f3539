using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>The W1BS benchmark of descriptors: nearest neighbours between strips of patches that differ in appearance, geometry, light or sensor.</summary>
public static class W1bsEvaluation
{
    private const string Precision =
        "average precision: 1/P x the sum of the precision at each right answer, ranked by the ratio of nearest to second nearest distance, P = all rows; mean "
            + "over the pairs of a subset, then over subsets";

    private const string Mauc =
        "\"mAUC\" by the benchmark's own rule: trapezoid of recall over 1 - precision at 100 thresholds on that ratio; 0 for a perfect descriptor, to compare "
            + "with published numbers only";

    /// <summary>Evaluates methods.</summary>
    /// <param name="data">The data.</param>
    /// <param name="methods">At least one method; names must differ.</param>
    /// <param name="progress">Is told the part that is done, 0 to 1, and what is being done; or null.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>AP and "mAUC", a column a subset (the mean over its pairs) and their mean; in tables of detail each pair.</returns>
    /// <exception cref="ArgumentException">There is no method, or two have one name.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the strips of a pair differ in size; the message names it.</exception>
    public static EvaluationRun Evaluate(
        W1bsDataset data, IReadOnlyList<IPatchDescriber> methods, Action<double, string>? progress = null, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(methods);
        ResultNames.RequireDistinct(methods.Select(method => method.Name), "method");
        int total = data.Subsets.Sum(subset => subset.Pairs.Count);
        var scores = new List<(string Subset, string Pair, W1bsScore[] ByMethod)>();
        foreach (W1bsSubset subset in data.Subsets)
        {
            foreach (W1bsPair pair in subset.Pairs)
            {
                progress?.Invoke((double)scores.Count / total, $"{subset.Name}/{pair.Name}");
                (PatchStrip first, PatchStrip second) = pair.Read();
                scores.Add((subset.Name, pair.Name, [.. methods.Select(method =>
                    W1bsScore.Of(method.Describe(first.Pixels, first.Side), method.Describe(second.Pixels, second.Side), threads))]));
            }
        }

        return new EvaluationRun(
            "w1bs",
            data.Folder,
            new Dictionary<string, string> { ["pairs"] = string.Join(", ", data.Subsets.Select(subset => $"{subset.Name} {subset.Pairs.Count}")) },
            [.. methods.Select(method => new EvaluatedMethod(method.Name, method.Dimension, method.IsBinary))],
            [
                BySubset("AP", Precision, score => score.AveragePrecision),
                BySubset("mAUC", Mauc, score => score.Mauc),
                ByPair("AP by pair", Precision, ScoreUnit.Fraction, score => score.AveragePrecision),
                ByPair("mAUC by pair", Mauc, ScoreUnit.Fraction, score => score.Mauc),
                ByPair("rows by pair", "rows of a strip", ScoreUnit.Count, score => score.Rows),
                ByPair("right by pair", "rows whose nearest descriptor is that of the same row", ScoreUnit.Count, score => score.Right),
            ],
            []);

        ScoreTable BySubset(string title, string measure, Func<W1bsScore, double> value)
        {
            ScoreRow[] rows = [.. methods.Select((method, m) =>
            {
                double[] means = [.. data.Subsets.Select(subset => scores.Where(score => score.Subset == subset.Name).Average(score => value(score.ByMethod[m])))];
                return new ScoreRow(method.Name, [.. means, means.Average()]);
            })];
            return new ScoreTable(title, measure, true, ScoreUnit.Fraction, [.. data.Subsets.Select(subset => subset.Name), "mean"], rows);
        }

        ScoreTable ByPair(string title, string measure, ScoreUnit unit, Func<W1bsScore, double> value) => new(
            title,
            measure,
            true,
            unit,
            [.. scores.Select(score => $"{score.Subset}/{score.Pair}")],
            [.. methods.Select((method, m) => new ScoreRow(method.Name, [.. scores.Select(score => (double?)value(score.ByMethod[m]))]))],
            IsDetail: true);
    }
}
