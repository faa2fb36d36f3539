namespace CudaL2Net.Matching;

/// <summary>The two definitions of average precision in use.</summary>
public enum AveragePrecision
{
    /// <summary>
    /// The area under precision over recall by the trapezoid rule, from the point (recall 0, precision 1) on, a point after every answer: HPatches' python
    /// code, and what its MATLAB code calls <c>auc</c>.
    /// </summary>
    Trapezoid,

    /// <summary>1/P times the sum of the precision at each right answer: what HPatches' MATLAB code calls <c>ap</c>, and the Oxford measure.</summary>
    Step,
}

/// <summary>Measures of a ranked list of answers, each right or wrong.</summary>
public static class RankedRetrieval
{
    /// <summary>The order of rising distance; equal distances keep the order in which they stand.</summary>
    /// <param name="distances">[n], none of them NaN.</param>
    /// <returns>[n]: indices into <paramref name="distances"/>.</returns>
    /// <exception cref="ArgumentException">A distance is NaN.</exception>
    public static int[] Rank(ReadOnlySpan<float> distances)
    {
        // The bits of a float, its sign turned, sort like the number; with the index below them the order is stable and no comparer is needed.
        var keys = new ulong[distances.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            if (float.IsNaN(distances[i]))
            {
                throw new ArgumentException($"distance {i} is NaN");
            }

            uint bits = BitConverter.SingleToUInt32Bits(distances[i] + 0f);
            keys[i] = ((ulong)((bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u) << 32) | (uint)i;
        }

        Array.Sort(keys);
        return Array.ConvertAll(keys, key => (int)(uint)key);
    }

    /// <summary>The average precision of answers ranked by rising distance, ties in the order in which they stand.</summary>
    /// <param name="distances">[n].</param>
    /// <param name="right">[n]: whether the answer is right.</param>
    /// <param name="positives">P: the right answers there are; those beyond the ones given are never found. At least the right ones given.</param>
    /// <param name="definition">Which of the two.</param>
    /// <returns>0 to 1; 0 where P is 0.</returns>
    /// <exception cref="ArgumentException">The lengths differ, P is too small, or a distance is NaN.</exception>
    public static double AveragePrecisionOf(ReadOnlySpan<float> distances, ReadOnlySpan<bool> right, long positives, AveragePrecision definition)
    {
        if (distances.Length != right.Length)
        {
            throw new ArgumentException($"{distances.Length} distances, but {right.Length} labels");
        }

        int[] order = Rank(distances);
        var ranked = new bool[order.Length];
        for (int i = 0; i < order.Length; i++)
        {
            ranked[i] = right[order[i]];
        }

        return AveragePrecisionOf(ranked, positives, definition);
    }

    /// <summary>The average precision of answers in their order, the best first.</summary>
    /// <param name="ranked">[n]: whether the answer is right.</param>
    /// <param name="positives">P: the right answers there are, at least the right ones in <paramref name="ranked"/>.</param>
    /// <param name="definition">Which of the two.</param>
    /// <returns>0 to 1; 0 where P is 0.</returns>
    /// <exception cref="ArgumentException">P is less than the right answers given.</exception>
    public static double AveragePrecisionOf(ReadOnlySpan<bool> ranked, long positives, AveragePrecision definition)
    {
        double sum = 0, precision = 1;
        long found = 0;
        for (int i = 0; i < ranked.Length; i++)
        {
            double before = precision;
            found += ranked[i] ? 1 : 0;
            precision = (double)found / (i + 1);
            if (ranked[i])
            {
                sum += definition == AveragePrecision.Trapezoid ? (before + precision) / 2 : precision;
            }
        }

        if (found > positives)
        {
            throw new ArgumentException($"{found} right answers, but only {positives} positives");
        }

        return positives == 0 ? 0 : sum / positives;
    }
}
