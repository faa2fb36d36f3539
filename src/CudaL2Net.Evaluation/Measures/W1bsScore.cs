using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Measures;

/// <summary>
/// Scores of two strips of patches of which row i of one shows what row i of the other shows, by the W1BS benchmark's rule (Mishkin et al., WxBS, BMVC 2015,
/// and its public code).
/// </summary>
/// <param name="Mauc">
/// "mAUC" as that code has it: the trapezoid of recall over 1 - precision, at 100 thresholds on the ratio of distances from 0 to the largest, strictly below
/// each. It is 0 for perfect descriptors and is comparable with published numbers only.
/// </param>
/// <param name="AveragePrecision">1/P times the sum of the precision at each right answer, ranked by the ratio, ties by row; P is the number of rows. 0 to 1.</param>
/// <param name="Rows">The rows of a strip.</param>
/// <param name="Right">Rows whose nearest descriptor is the right one.</param>
public sealed record W1bsScore(double Mauc, double AveragePrecision, int Rows, int Right)
{
    private const int Thresholds = 100;
    private const double Epsilon = 1e-12;

    /// <summary>Measures descriptors: each row of the first set takes its nearest in the second, the lower row on ties.</summary>
    /// <param name="first">n descriptors, at least 2.</param>
    /// <param name="second">n descriptors of the same kind.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">The sets differ in kind or number, there are fewer than 2, or a distance is not finite.</exception>
    public static W1bsScore Of(DescriptorSet first, DescriptorSet second, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(first);
        first.RequireSameKind(second);
        int rows = first.Count;
        if (rows < 2 || second.Count != rows)
        {
            throw new ArgumentException($"two strips of the same number of patches are needed, at least 2, not {rows} and {second.Count}");
        }

        var ratios = new double[rows];
        var right = new bool[rows];
        new Parallelism(threads).For(rows, i => (ratios[i], right[i]) = Answer(first, second, i));
        int unusable = Array.FindIndex(ratios, ratio => !double.IsFinite(ratio));
        if (unusable >= 0)
        {
            throw new ArgumentException($"the distances of descriptor {unusable} are not finite");
        }

        bool[] ranked = [.. Enumerable.Range(0, rows).OrderBy(i => ratios[i]).Select(i => right[i])];
        return new W1bsScore(
            AreaOverThresholds(ratios, right),
            RankedRetrieval.AveragePrecisionOf(ranked, rows, Matching.AveragePrecision.Step),
            rows,
            right.Count(answer => answer));
    }

    private static (double Ratio, bool Right) Answer(DescriptorSet first, DescriptorSet second, int row)
    {
        double nearest = double.PositiveInfinity, next = double.PositiveInfinity;
        int index = -1;
        for (int j = 0; j < second.Count; j++)
        {
            double distance = Distance(first, second, row, j);
            if (!double.IsFinite(distance))
            {
                return (double.NaN, false);
            }

            if (distance < nearest)
            {
                (nearest, next, index) = (distance, nearest, j);
            }
            else
            {
                next = Math.Min(next, distance);
            }
        }

        return (nearest / (next + Epsilon), index == row);
    }

    // In double precision, as the benchmark's code: thresholds compare ratios of nearly equal distances.
    private static double Distance(DescriptorSet first, DescriptorSet second, int row, int other)
    {
        if (first.Values is null)
        {
            return first.Distance(row, second, other);
        }

        int dimension = first.Dimension;
        ReadOnlySpan<float> a = first.Values.AsSpan(row * dimension, dimension), b = second.Values.AsSpan(other * dimension, dimension);
        double sum = 0;
        for (int k = 0; k < dimension; k++)
        {
            double difference = (double)a[k] - b[k];
            sum += difference * difference;
        }

        return Math.Sqrt(sum);
    }

    private static double AreaOverThresholds(double[] ratios, bool[] right)
    {
        double largest = ratios.Max(), step = largest / (Thresholds - 1), area = 0, recallBefore = 0, wrongBefore = 0;
        for (int t = 0; t < Thresholds; t++)
        {
            double threshold = t == Thresholds - 1 ? largest : t * step;
            int accepted = 0, found = 0;
            for (int i = 0; i < ratios.Length; i++)
            {
                accepted += ratios[i] < threshold ? 1 : 0;
                found += ratios[i] < threshold && right[i] ? 1 : 0;
            }

            double recall = (double)found / ratios.Length, wrong = accepted == 0 ? 0 : 1 - ((double)found / accepted);
            area += (wrong - wrongBefore) * (recall + recallBefore) / 2;
            (recallBefore, wrongBefore) = (recall, wrong);
        }

        return area;
    }
}
