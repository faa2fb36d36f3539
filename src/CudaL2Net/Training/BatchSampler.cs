using CudaL2Net.Data;
using CudaL2Net.Numerics;

namespace CudaL2Net.Training;

/// <summary>Draws the batches of an epoch: for each the p first patches of its pairs, then the p second ones. A function of (seed, epoch) alone.</summary>
internal sealed class BatchSampler
{
    private readonly TrainingOptions options;
    private readonly int[] starts;
    private readonly int[] order;

    /// <summary>Groups the patches by their points.</summary>
    /// <exception cref="ArgumentException">Too few points have two patches.</exception>
    public BatchSampler(PatchSet patches, TrainingOptions options)
    {
        this.options = options;
        order = [.. Enumerable.Range(0, patches.Count)];
        int[] ids = (int[])patches.PointIds.Clone();
        Array.Sort(ids, order);

        // A stable order within a point, whatever the sort does: patches ascend.
        var points = new List<int>();
        var kept = new List<int>();
        for (int first = 0; first < ids.Length;)
        {
            int end = first + 1;
            while (end < ids.Length && ids[end] == ids[first])
            {
                end++;
            }

            if (end - first >= 2)
            {
                Array.Sort(order, first, end - first);
                points.Add(kept.Count);
                kept.AddRange(order[first..end]);
            }

            first = end;
        }

        points.Add(kept.Count);
        starts = [.. points];
        order = [.. kept];
        if (Points < options.Batch)
        {
            throw new ArgumentException(
                $"the data has {Points} points with two or more patches, too few for a batch of {options.Batch} pairs with each point at most once; use "
                    + "more data or a smaller batch");
        }
    }

    /// <summary>Points with two or more patches.</summary>
    public int Points => starts.Length - 1;

    /// <summary>Steps of an epoch.</summary>
    public int StepsPerEpoch => options.Sampling == SamplingKind.Progressive
        ? (Points + (options.Batch / 2) - 1) / (options.Batch / 2)
        : (int)Math.Max(1, options.PairsPerEpoch / options.Batch);

    /// <summary>The rows of all batches of an epoch: [steps][2p].</summary>
    public void Draw(int epoch, int[] rows)
    {
        var random = new PhiloxStream(options.Seed, DrawPurpose.Sampling, (uint)epoch);
        int pairs = options.Batch;
        var usedIn = new int[Points];
        for (int step = 0; step < StepsPerEpoch; step++)
        {
            int filled = 0;
            if (options.Sampling == SamplingKind.Progressive)
            {
                // The walk wraps round in the last batch, so that all batches are full.
                for (; filled < pairs / 2; filled++)
                {
                    int point = ((step * (pairs / 2)) + filled) % Points;
                    usedIn[point] = step + 1;
                    AddPair(rows, step, filled, point, ref random);
                }
            }

            while (filled < pairs)
            {
                int point = random.Next(Points);
                if (usedIn[point] != step + 1)
                {
                    usedIn[point] = step + 1;
                    AddPair(rows, step, filled++, point, ref random);
                }
            }
        }
    }

    private void AddPair(int[] rows, int step, int pair, int point, ref PhiloxStream random)
    {
        int start = starts[point], count = starts[point + 1] - start;
        int first = random.Next(count), second = random.Next(count - 1);
        second += second >= first ? 1 : 0;
        int batch = step * 2 * options.Batch;
        rows[batch + pair] = order[start + first];
        rows[batch + options.Batch + pair] = order[start + second];
    }
}
