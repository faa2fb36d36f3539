namespace CudaL2Net.Matching;

/// <summary>What accepting all pairs up to one distance gives.</summary>
/// <param name="Distance">The largest accepted distance; negative infinity where nothing is accepted.</param>
/// <param name="FalsePositiveRate">Accepted non-matches over all non-matches.</param>
/// <param name="Recall">Accepted matches over all matches: the true positive rate.</param>
/// <param name="Precision">Accepted matches over all accepted; 1 where nothing is accepted.</param>
public readonly record struct RocPoint(float Distance, double FalsePositiveRate, double Recall, double Precision);

/// <summary>How well a distance tells matching from non-matching pairs: FPR95, ROC curve, AUC and average precision.</summary>
public sealed class RocCurve
{
    private RocCurve(long matches, long nonMatches, double fpr95, double auc, double averagePrecision, RocPoint[] points)
    {
        Matches = matches;
        NonMatches = nonMatches;
        Fpr95 = fpr95;
        Auc = auc;
        AveragePrecision = averagePrecision;
        Points = points;
    }

    /// <summary>Matching pairs.</summary>
    public long Matches { get; }

    /// <summary>Pairs that do not match.</summary>
    public long NonMatches { get; }

    /// <summary>
    /// The share of non-matches accepted before 95% of the matches are, 0 to 1, by HardNet's definition: in a stable sort by distance, i is the first position
    /// at which the matches up to and with it are at least 95% of all; FPR95 = non-matches before i over all non-matches.
    /// </summary>
    public double Fpr95 { get; }

    /// <summary>The area under the ROC curve, 0 to 1: the probability that a match is nearer than a non-match, ties counted half.</summary>
    public double Auc { get; }

    /// <summary>Average precision, 0 to 1, by <see cref="Matching.AveragePrecision.Trapezoid"/>, ties in the order in which they stand.</summary>
    public double AveragePrecision { get; }

    /// <summary>The curve, from nothing accepted to all: one point for each distance that occurs, so that ties are accepted together.</summary>
    public IReadOnlyList<RocPoint> Points { get; }

    /// <summary>The same scores with fewer points of the curve, evenly chosen, the ends among them: for plots and files.</summary>
    /// <param name="most">The most points, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">That is less than 2.</exception>
    public RocCurve Thin(int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 2);
        if (Points.Count <= most)
        {
            return this;
        }

        RocPoint[] kept = [.. Enumerable.Range(0, most).Select(i => Points[(int)((long)i * (Points.Count - 1) / (most - 1))])];
        return new RocCurve(Matches, NonMatches, Fpr95, Auc, AveragePrecision, kept);
    }

    /// <summary>Measures labelled pairs.</summary>
    /// <param name="distances">[n], none of them NaN.</param>
    /// <param name="matches">[n]: whether the pair matches.</param>
    /// <exception cref="ArgumentException">The lengths differ, a distance is NaN, or there is no match or no non-match.</exception>
    public static RocCurve FromDistances(ReadOnlySpan<float> distances, ReadOnlySpan<bool> matches)
    {
        if (distances.Length != matches.Length)
        {
            throw new ArgumentException($"{distances.Length} distances, but {matches.Length} labels");
        }

        long positives = 0;
        foreach (bool match in matches)
        {
            positives += match ? 1 : 0;
        }

        long negatives = matches.Length - positives;
        if (positives == 0 || negatives == 0)
        {
            throw new ArgumentException($"an ROC curve needs matching and other pairs; here are {positives} and {negatives}");
        }

        int[] order = RankedRetrieval.Rank(distances);
        var ranked = new bool[order.Length];
        var points = new List<RocPoint> { new(float.NegativeInfinity, 0, 0, 1) };
        double fpr95 = double.NaN, area = 0;
        long truePositives = 0, falsePositives = 0;
        for (int i = 0; i < order.Length; i++)
        {
            ranked[i] = matches[order[i]];
            truePositives += ranked[i] ? 1 : 0;
            if (double.IsNaN(fpr95) && truePositives >= 0.95 * positives)
            {
                fpr95 = (double)falsePositives / negatives;
            }

            falsePositives += ranked[i] ? 0 : 1;
            float distance = distances[order[i]];
            if (i + 1 < order.Length && distances[order[i + 1]] == distance)
            {
                continue;
            }

            RocPoint last = points[^1];
            var point = new RocPoint(
                distance, (double)falsePositives / negatives, (double)truePositives / positives, (double)truePositives / (truePositives + falsePositives));
            area += (point.FalsePositiveRate - last.FalsePositiveRate) * (point.Recall + last.Recall) / 2;
            points.Add(point);
        }

        double averagePrecision = RankedRetrieval.AveragePrecisionOf(ranked, positives, Matching.AveragePrecision.Trapezoid);
        return new RocCurve(positives, negatives, fpr95, area, averagePrecision, [.. points]);
    }
}
