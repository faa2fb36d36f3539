using CudaL2Net.Numerics;

namespace CudaL2Net.Matching;

/// <summary>
/// Greedy one-to-one matching: all pairs by rising distance, each taken if both of its sides are still free; ties by the first side, then by the second.
/// </summary>
/// <remarks>
/// The pairs are never stored or sorted. Every row keeps its few nearest free columns; a queue holds each row's best one. What comes out of it is the
/// nearest of all remaining pairs, unless its column has been taken: then the row goes on to its next one, and looks through all columns again when it has
/// none left.
/// </remarks>
internal static class OneToOneMatching
{
    private const int Kept = 24;

    /// <summary>Matches rows to columns.</summary>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <param name="distancesOfRow">Writes the m distances of a row, none of them NaN; called from several threads.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>[n]: each row's column, or -1.</returns>
    public static int[] Match(int rows, int columns, Action<int, float[]> distancesOfRow, int threads = 0)
    {
        var match = new int[rows];
        Array.Fill(match, -1);
        if (rows == 0 || columns == 0)
        {
            return match;
        }

        bool[] taken = new bool[columns];
        var candidates = new List<(float Distance, int Column)>[rows];
        new Parallelism(threads).For(rows, () => new float[columns], (row, distances) =>
        {
            distancesOfRow(row, distances);
            candidates[row] = Nearest(distances, taken);
        }, _ => { });

        var queue = new PriorityQueue<int, (float Distance, int Row)>(rows);
        int[] next = new int[rows];
        for (int row = 0; row < rows; row++)
        {
            queue.Enqueue(row, (candidates[row][0].Distance, row));
        }

        var scratch = new float[columns];
        int free = columns;
        while (free > 0 && queue.TryDequeue(out int row, out _))
        {
            int column = candidates[row][next[row]].Column;
            if (!taken[column])
            {
                (match[row], taken[column]) = (column, true);
                free--;
                continue;
            }

            while (++next[row] < candidates[row].Count && taken[candidates[row][next[row]].Column])
            {
            }

            if (next[row] == candidates[row].Count && free > 0)
            {
                distancesOfRow(row, scratch);
                candidates[row] = Nearest(scratch, taken);
                next[row] = 0;
            }

            if (free > 0)
            {
                queue.Enqueue(row, (candidates[row][next[row]].Distance, row));
            }
        }

        return match;
    }

    /// <summary>The nearest free columns, rising, the lower column first on ties.</summary>
    private static List<(float Distance, int Column)> Nearest(float[] distances, bool[] taken)
    {
        var nearest = new List<(float Distance, int Column)>(Kept + 1);
        float farthest = float.PositiveInfinity;
        for (int column = 0; column < distances.Length; column++)
        {
            float distance = distances[column];
            if (taken[column] || (nearest.Count == Kept && distance >= farthest))
            {
                continue;
            }

            int place = nearest.Count;
            while (place > 0 && distance < nearest[place - 1].Distance)
            {
                place--;
            }

            nearest.Insert(place, (distance, column));
            if (nearest.Count > Kept)
            {
                nearest.RemoveAt(Kept);
            }

            farthest = nearest[^1].Distance;
        }

        return nearest;
    }
}
