using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Results;

/// <summary>What an evaluation found: the same form for every benchmark, so that tables, files and reports are written in one way.</summary>
/// <param name="Benchmark">The benchmark: "brown", "hpatches", "oxford", "w1bs".</param>
/// <param name="Data">The data set's folder.</param>
/// <param name="Settings">What the numbers depend on: split, detector, seed and so on, in words.</param>
/// <param name="Methods">The methods, in the order given.</param>
/// <param name="Tables">The scores. The first table is the one to look at first.</param>
/// <param name="Curves">Curves and distances of verification, method by method; empty where the benchmark has none.</param>
public sealed record EvaluationRun(
    string Benchmark,
    string Data,
    IReadOnlyDictionary<string, string> Settings,
    IReadOnlyList<EvaluatedMethod> Methods,
    IReadOnlyList<ScoreTable> Tables,
    IReadOnlyList<VerificationCurve> Curves)
{
    /// <summary>The setting of a run on Brown's data that says that a set is not Brown's own.</summary>
    public const string DataNote = "data note";

    /// <summary>How the methods' descriptors are distributed; empty where it was not asked for.</summary>
    public IReadOnlyList<DescriptorStatistics> Descriptors { get; init; } = [];

    /// <summary>The pairs on which the methods err most; empty where it was not asked for.</summary>
    [JsonIgnore]
    public IReadOnlyList<PairGallery> Galleries { get; init; } = [];

    /// <summary>Images for the report: matched keypoints, say.</summary>
    [JsonIgnore]
    public IReadOnlyList<ReportImage> Images { get; init; } = [];

    /// <summary>All scores as CSV, a line a score: <c>benchmark,table,measure,method,column,value</c>; a score that does not exist is left empty.</summary>
    public string ToCsv()
    {
        var text = new StringBuilder("benchmark,table,measure,method,column,value\n");
        foreach (ScoreTable table in Tables)
        {
            foreach (ScoreRow row in table.Rows)
            {
                for (int i = 0; i < table.Columns.Count; i++)
                {
                    string value = row.Values[i]?.ToString("R", CultureInfo.InvariantCulture) ?? string.Empty;
                    text.AppendJoin(',', new[] { Benchmark, table.Title, table.Measure, row.Method, table.Columns[i], value }.Select(Quote)).Append('\n');
                }
            }
        }

        return text.ToString();
    }

    // RFC 4180: a field with a comma, a quote or a line's end is quoted, quotes in it doubled.
    private static string Quote(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>A method that took part.</summary>
/// <param name="Name">Its name in tables and plots.</param>
/// <param name="Dimension">Values, or bits, of its descriptors; 0 where it scores pairs.</param>
/// <param name="IsBinary">Whether its descriptors are bits, compared by Hamming distance.</param>
public sealed record EvaluatedMethod(string Name, int Dimension, bool IsBinary);

/// <summary>How the scores of a table are written.</summary>
public enum ScoreUnit
{
    /// <summary>A part of 1, as 0.123.</summary>
    Fraction,

    /// <summary>A part of 1, written as 12.34%.</summary>
    Percent,

    /// <summary>A whole number.</summary>
    Count,
}

/// <summary>Scores of one measure: a row a method.</summary>
/// <param name="Title">What is measured on what: "FPR95", "matching, mAP by sequence".</param>
/// <param name="Measure">The definition in words, where two are in use which one it is.</param>
/// <param name="HigherIsBetter">Whether the best score is the largest.</param>
/// <param name="Unit">How the scores are written.</param>
/// <param name="Columns">Data sets, sequences, levels and means.</param>
/// <param name="Rows">A row a method, in the methods' order.</param>
/// <param name="IsDetail">Whether the table is for files and reports only, too long for a terminal.</param>
public sealed record ScoreTable(
    string Title, string Measure, bool HigherIsBetter, ScoreUnit Unit, IReadOnlyList<string> Columns, IReadOnlyList<ScoreRow> Rows, bool IsDetail = false)
{
    /// <summary>The best score of a column, or null where no method has one.</summary>
    public double? Best(int column) => HigherIsBetter ? Rows.Max(row => row.Values[column]) : Rows.Min(row => row.Values[column]);

    /// <summary>A score as people read it.</summary>
    public string Format(double? value) => value is not { } score ? "-" : Unit switch
    {
        ScoreUnit.Percent => (100 * score).ToString("0.00'%'", CultureInfo.InvariantCulture),
        ScoreUnit.Count => score.ToString("0", CultureInfo.InvariantCulture),
        _ => score.ToString("0.0000", CultureInfo.InvariantCulture),
    };
}

/// <summary>One method's scores.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="Values">A score for each column; null where there is none.</param>
public sealed record ScoreRow(string Method, IReadOnlyList<double?> Values);

/// <summary>How a method tells matching from other pairs of patches on one data set.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="DataSet">The data set, and the level or kind of negatives where there are several.</param>
/// <param name="Roc">Scores and curve.</param>
/// <param name="MatchDistances">Distances of matching pairs, a sample for histograms.</param>
/// <param name="NonMatchDistances">Distances of other pairs, a sample for histograms.</param>
public sealed record VerificationCurve(
    string Method, string DataSet, RocCurve Roc, [property: JsonIgnore] float[] MatchDistances, [property: JsonIgnore] float[] NonMatchDistances)
{
    private const int MostPoints = 400;
    private const int MostDistances = 20_000;

    /// <summary>Measures labelled pairs and keeps what plots need: at most 400 points of the curve and 20,000 distances of each kind, evenly chosen.</summary>
    /// <param name="method">The method's name.</param>
    /// <param name="dataSet">The data set.</param>
    /// <param name="distances">[n], none of them NaN.</param>
    /// <param name="matches">[n]: whether the pair matches.</param>
    /// <exception cref="ArgumentException">As by <see cref="RocCurve.FromDistances"/>.</exception>
    public static VerificationCurve FromDistances(string method, string dataSet, ReadOnlySpan<float> distances, ReadOnlySpan<bool> matches)
    {
        RocCurve roc = RocCurve.FromDistances(distances, matches);
        return new VerificationCurve(
            method, dataSet, roc.Thin(MostPoints), Sample(distances, matches, true, roc.Matches), Sample(distances, matches, false, roc.NonMatches));
    }

    private static float[] Sample(ReadOnlySpan<float> distances, ReadOnlySpan<bool> matches, bool label, long count)
    {
        long wanted = Math.Min(count, MostDistances), seen = 0;
        var sample = new float[wanted];
        int taken = 0;
        for (int i = 0; i < distances.Length && taken < wanted; i++)
        {
            if (matches[i] == label && seen++ * wanted >= taken * count)
            {
                sample[taken++] = distances[i];
            }
        }

        return sample;
    }
}
