namespace CudaL2Net.Tests.Reference;

/// <summary>The benchmarks' measures as slowly and plainly as their definitions read, in double precision.</summary>
internal static class PlainScores
{
    public static double Euclidean(float[] a, float[] b) => (float)Math.Sqrt(a.Zip(b, (x, y) => Math.Pow((double)x - y, 2)).Sum());

    /// <summary>Each descriptor as an array of numbers; bits become 0 and 1.</summary>
    public static float[][] Rows(CudaL2Net.Matching.DescriptorSet set) => [.. Enumerable.Range(0, set.Count).Select(row => Enumerable.Range(0, set.Dimension)
        .Select(k => set.Values is { } values
            ? values[(row * set.Dimension) + k]
            : (set.Bits![(row * set.Dimension / 8) + (k / 8)] >> (k % 8)) & 1)
        .ToArray())];

    /// <summary>The labels by rising distance, equal distances in the order given.</summary>
    public static bool[] Ranked(IEnumerable<(double Distance, bool Label)> answers) =>
        [.. answers.Select((answer, i) => (answer, i)).OrderBy(x => x.answer.Distance).ThenBy(x => x.i).Select(x => x.answer.Label)];

    public static double Fpr95(IReadOnlyList<(double Distance, bool Label)> pairs)
    {
        bool[] ranked = Ranked(pairs);
        int matches = ranked.Count(label => label), found = 0, wrong = 0;
        foreach (bool label in ranked)
        {
            found += label ? 1 : 0;
            if (found >= 0.95 * matches)
            {
                break;
            }

            wrong += label ? 0 : 1;
        }

        return (double)wrong / (ranked.Length - matches);
    }

    /// <summary>The share of (match, non-match) couples in which the match is nearer, ties counted half.</summary>
    public static double Auc(IReadOnlyList<(double Distance, bool Label)> pairs)
    {
        double[] matches = [.. pairs.Where(pair => pair.Label).Select(pair => pair.Distance)];
        double[] others = [.. pairs.Where(pair => !pair.Label).Select(pair => pair.Distance)];
        return matches.Sum(m => others.Sum(o => m < o ? 1 : m == o ? 0.5 : 0)) / matches.Length / others.Length;
    }

    /// <summary>The area under the polygon (0, 1), (recall_1, precision_1), ... of HPatches' python code.</summary>
    public static double TrapezoidAp(IReadOnlyList<(double Distance, bool Label)> answers, int positives)
    {
        bool[] ranked = Ranked(answers);
        var points = new List<(double Recall, double Precision)> { (0, 1) };
        for (int k = 1; k <= ranked.Length; k++)
        {
            int found = ranked.Take(k).Count(label => label);
            points.Add(((double)found / positives, (double)found / k));
        }

        return points.Zip(points.Skip(1), (p, q) => (q.Recall - p.Recall) * (p.Precision + q.Precision) / 2).Sum();
    }

    /// <summary>1/P times the sum of the precision at each right answer (HPatches' MATLAB code).</summary>
    public static double StepAp(IReadOnlyList<(double Distance, bool Label)> answers, int positives)
    {
        bool[] ranked = Ranked(answers);
        return Enumerable.Range(1, ranked.Length).Where(k => ranked[k - 1]).Sum(k => ranked.Take(k).Count(label => label) / (double)k) / positives;
    }
}
