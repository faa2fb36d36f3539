using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Measures;

/// <summary>How regions are matched by their descriptors, and the answers ranked.</summary>
public enum MatchingStrategy
{
    /// <summary>One-to-one: pairs by rising distance, each taken if both regions are still free; ranked by distance.</summary>
    NearestNeighbour,

    /// <summary>All pairs of regions are answers, ranked by distance.</summary>
    Threshold,

    /// <summary>
    /// The pairs of <see cref="NearestNeighbour"/>, ranked by their distance over that of the first region's nearest other descriptor in the second image.
    /// </summary>
    Ratio,
}

/// <summary>A score of matching the regions of two images.</summary>
/// <param name="AveragePrecision">1/P times the sum of the precision at each right answer, 0 to 1; null where P is 0.</param>
/// <param name="Positives">
/// P: for one-to-one strategies the one-to-one assignment by overlap (or the right answers, should these be more); for <see cref="MatchingStrategy.Threshold"/>
/// all pairs that correspond.
/// </param>
/// <param name="Answers">Pairs that were ranked.</param>
/// <param name="Right">Those that correspond.</param>
public sealed record RegionMatchingScore(double? AveragePrecision, int Positives, long Answers, int Right);

/// <summary>
/// Scores of descriptors on two images whose regions' correspondences are known (Mikolajczyk and Schmid, PAMI 2005). Ties are ranked by the first region,
/// then by the second. The matrix of distances is not stored.
/// </summary>
public sealed class RegionMatching
{
    private readonly RegionCorrespondences truth;
    private readonly HashSet<(int First, int Second)> right;
    private readonly SquaredDistances distances;
    private readonly (float Nearest, int Index, float Second)[] nearest;
    private readonly Lazy<int[]> matches;
    private readonly Parallelism parallel;

    /// <summary>Prepares two images.</summary>
    /// <param name="first">A descriptor a region of the first image.</param>
    /// <param name="second">A descriptor a region of the second image.</param>
    /// <param name="truth">The regions' correspondences.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">The sets differ in kind, or their sizes are not those of the correspondences.</exception>
    public RegionMatching(DescriptorSet first, DescriptorSet second, RegionCorrespondences truth, int threads = 0)
    {
        parallel = new Parallelism(threads);
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(truth);
        if (first.Count != truth.First || second.Count != truth.Second)
        {
            throw new ArgumentException($"{first.Count} and {second.Count} descriptors, but {truth.First} and {truth.Second} regions");
        }

        distances = new SquaredDistances(first, second);
        this.truth = truth;
        right = [.. truth.Pairs.Select(pair => (pair.First, pair.Second))];
        nearest = new (float, int, float)[truth.First];
        matches = new Lazy<int[]>(() => OneToOneMatching.Match(truth.First, truth.Second, (row, into) =>
        {
            distances.Row(row, into);
            nearest[row] = NearestTwo(into);
        }, threads));
    }

    /// <summary>The score by a strategy.</summary>
    /// <exception cref="ArgumentException">A distance is NaN.</exception>
    public RegionMatchingScore Score(MatchingStrategy strategy) => strategy switch
    {
        MatchingStrategy.Threshold => AllPairs(),
        MatchingStrategy.NearestNeighbour => OneToOne((row, column) => distances.Pair(row, column)),
        MatchingStrategy.Ratio => OneToOne(RatioOf),
        _ => throw new ArgumentOutOfRangeException(nameof(strategy)),
    };

    private RegionMatchingScore OneToOne(Func<int, int, double> score)
    {
        (int First, int Second)[] answers = [.. matches.Value.Select((second, first) => (first, second)).Where(pair => pair.second >= 0)];
        double[] scores = new double[answers.Length];
        parallel.For(answers.Length, i => scores[i] = score(answers[i].First, answers[i].Second));

        // The answers stand by rising first region, and the order is stable.
        bool[] ranked = [.. Enumerable.Range(0, answers.Length).OrderBy(i => scores[i]).Select(i => right.Contains(answers[i]))];
        int found = ranked.Count(answer => answer), positives = Math.Max(truth.OneToOne, found);
        double? precision = positives == 0 ? null : RankedRetrieval.AveragePrecisionOf(ranked, positives, AveragePrecision.Step);
        return new RegionMatchingScore(precision, positives, answers.Length, found);
    }

    // Squares rank like their roots. Two descriptors at distance 0 cannot be told apart.
    private double RatioOf(int row, int column)
    {
        float distance = distances.Pair(row, column), other = nearest[row].Index == column ? nearest[row].Second : nearest[row].Nearest;
        return distance == 0 && other == 0 ? 1 : (double)distance / other;
    }

    private static (float Nearest, int Index, float Second) NearestTwo(float[] row)
    {
        (float Nearest, int Index, float Second) found = (float.PositiveInfinity, -1, float.PositiveInfinity);
        for (int j = 0; j < row.Length; j++)
        {
            if (row[j] < found.Nearest)
            {
                found = (row[j], j, found.Nearest);
            }
            else if (row[j] < found.Second)
            {
                found.Second = row[j];
            }
        }

        return found;
    }

    // The rank of a right pair is the number of pairs that are not behind it. All pairs are counted into the gaps between the right ones.
    private RegionMatchingScore AllPairs()
    {
        long answers = (long)truth.First * truth.Second;
        int count = truth.Pairs.Count;
        if (count == 0)
        {
            return new RegionMatchingScore(null, 0, answers, 0);
        }

        (float Distance, long Pair)[] sorted = new (float, long)[count];
        parallel.For(count, i => sorted[i] = (distances.Pair(truth.Pairs[i].First, truth.Pairs[i].Second), Number(truth.Pairs[i].First, truth.Pairs[i].Second)));
        Array.Sort(sorted);
        long[] ranks = new long[count + 1];
        parallel.For(
            truth.First,
            () => (Row: new float[truth.Second], Counts: new long[count + 1]),
            (i, local) =>
            {
                distances.Row(i, local.Row);
                for (int j = 0; j < local.Row.Length; j++)
                {
                    local.Counts[Position(sorted, local.Row[j], Number(i, j))]++;
                }
            },
            local =>
            {
                lock (ranks)
                {
                    for (int k = 0; k <= count; k++)
                    {
                        ranks[k] += local.Counts[k];
                    }
                }
            });

        double sum = 0;
        long rank = 0;
        for (int k = 0; k < count; k++)
        {
            rank += ranks[k];
            sum += (k + 1) / (double)rank;
        }

        return new RegionMatchingScore(sum / count, count, answers, count);
    }

    private long Number(int first, int second) => ((long)first * truth.Second) + second;

    /// <summary>The first right pair that is not before the given pair.</summary>
    private static int Position((float Distance, long Pair)[] sorted, float distance, long pair)
    {
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (float Distance, long Pair) at = sorted[middle];
            if (at.Distance < distance || (at.Distance == distance && at.Pair < pair))
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
