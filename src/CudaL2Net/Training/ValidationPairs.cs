using CudaL2Net.Data;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Numerics;

namespace CudaL2Net.Training;

/// <summary>Fixed matching and non-matching pairs of a patch set, for FPR95 while a network is trained.</summary>
public sealed class ValidationPairs
{
    private readonly PatchSet patches;
    private readonly int pairs;

    /// <summary>Draws the pairs: for up to <paramref name="maximum"/> points two patches of each, and as many patches of two different points.</summary>
    /// <exception cref="ArgumentException">Fewer than two points have two patches.</exception>
    public ValidationPairs(PatchSet set, int maximum = 2000)
    {
        ArgumentNullException.ThrowIfNull(set);
        int[][] points =
        [
            .. Enumerable.Range(0, set.Count)
                .GroupBy(i => set.PointIds[i])
                .Where(group => group.Count() >= 2)
                .OrderBy(group => group.Key)
                .Select(group => group.Take(2).ToArray()),
        ];
        if (points.Length < 2)
        {
            throw new ArgumentException($"the validation data has {points.Length} points with two patches; it needs at least 2");
        }

        // Spread over the whole set; the k-th non-match joins the k-th point's first patch with another point's second one.
        pairs = Math.Min(maximum, points.Length);
        var chosen = new int[3 * pairs];
        var random = new PhiloxStream(0, DrawPurpose.Evaluation, 0);
        for (int k = 0; k < pairs; k++)
        {
            int point = (int)((long)k * points.Length / pairs), other = random.Next(points.Length - 1);
            other += other >= point ? 1 : 0;
            chosen[k] = points[point][0];
            chosen[pairs + k] = points[point][1];
            chosen[(2 * pairs) + k] = points[other][1];
        }

        patches = set.Select(chosen);
    }

    /// <summary>The ROC curve of a model on the pairs.</summary>
    public RocCurve Evaluate(PatchModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.ScoresPairs ? EvaluateScores(model) : EvaluateDescriptors(model);
    }

    // The larger a score, the more alike: its negative takes the place of a distance.
    private RocCurve EvaluateScores(PatchModel model)
    {
        int[] first = [.. Enumerable.Range(0, 2 * pairs).Select(k => k % pairs)], second = [.. Enumerable.Range(0, 2 * pairs).Select(k => pairs + k)];
        float[] scores = model.Score(patches, first, second);
        return RocCurve.FromDistances(Array.ConvertAll(scores, score => -score), [.. Enumerable.Range(0, 2 * pairs).Select(k => k < pairs)]);
    }

    private RocCurve EvaluateDescriptors(PatchModel model)
    {
        float[] descriptors = model.Describe(patches);
        var distances = new float[2 * pairs];
        var matches = new bool[2 * pairs];
        for (int k = 0; k < pairs; k++)
        {
            distances[k] = Distance(k, pairs + k);
            matches[k] = true;
            distances[pairs + k] = Distance(k, (2 * pairs) + k);
        }

        return RocCurve.FromDistances(distances, matches);

        float Distance(int a, int b)
        {
            double sum = 0;
            int differing = 0;
            for (int d = 0; d < model.Dimension; d++)
            {
                float first = descriptors[(a * model.Dimension) + d], second = descriptors[(b * model.Dimension) + d];
                double difference = first - second;
                sum += difference * difference;
                differing += first > 0 == second > 0 ? 0 : 1;
            }

            return model.Network.Head.Comparison == DescriptorComparison.Hamming ? differing : (float)Math.Sqrt(sum);
        }
    }
}
