using System.Numerics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Matching;

/// <summary>
/// The distances of all pairs of two sets, a row at a time, never all at once: the square of the Euclidean distance, or the number of differing bits. One
/// pair gives the same number however often it is asked for. Several threads may read at once.
/// </summary>
internal sealed class SquaredDistances
{
    private readonly DescriptorSet first, second;

    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    public SquaredDistances(DescriptorSet first, DescriptorSet second)
    {
        first.RequireSameKind(second);
        (this.first, this.second) = (first, second);
    }

    /// <summary>The distances from row <paramref name="row"/> of the first set to all rows of the second.</summary>
    /// <param name="row">A row of the first set.</param>
    /// <param name="distances">[rows of the second set], overwritten.</param>
    /// <exception cref="ArgumentException">A distance is NaN.</exception>
    public void Row(int row, Span<float> distances)
    {
        for (int j = 0; j < second.Count; j++)
        {
            distances[j] = Pair(row, j);
        }
    }

    /// <summary>The distance of one pair.</summary>
    /// <exception cref="ArgumentException">It is NaN.</exception>
    public float Pair(int row, int otherRow)
    {
        if (first.Values is null)
        {
            return first.Distance(row, second, otherRow);
        }

        int dimension = first.Dimension;
        ReadOnlySpan<float> a = first.Values.AsSpan(row * dimension, dimension), b = second.Values.AsSpan(otherRow * dimension, dimension);
        ReadOnlySpan<Vector<float>> wideA = MemoryMarshal.Cast<float, Vector<float>>(a), wideB = MemoryMarshal.Cast<float, Vector<float>>(b);
        Vector<float> even = Vector<float>.Zero, odd = Vector<float>.Zero;
        int k = 0;
        for (; k + 1 < wideA.Length; k += 2)
        {
            Vector<float> x = wideA[k] - wideB[k], y = wideA[k + 1] - wideB[k + 1];
            even += x * x;
            odd += y * y;
        }

        float sum = Vector.Sum(even + odd);
        for (int i = k * Vector<float>.Count; i < dimension; i++)
        {
            float difference = a[i] - b[i];
            sum += difference * difference;
        }

        return float.IsNaN(sum) ? throw new ArgumentException($"the distance of descriptors {row} and {otherRow} is not a number") : sum;
    }
}
