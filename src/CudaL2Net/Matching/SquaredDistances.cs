using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Matching;

/// <summary>
/// The distances of all pairs of two sets, a row at a time, never all at once: the square of the Euclidean distance, or the number of differing bits. One
/// pair gives the same number however it is asked for. Several threads may read at once.
/// </summary>
internal sealed class SquaredDistances
{
    private const int Lanes = 8;

    private readonly DescriptorSet first, second;
    private readonly int dimension;

    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    public SquaredDistances(DescriptorSet first, DescriptorSet second)
    {
        first.RequireSameKind(second);
        (this.first, this.second, dimension) = (first, second, first.Dimension);
    }

    /// <summary>The distances from row <paramref name="row"/> of the first set to all rows of the second.</summary>
    /// <param name="row">A row of the first set.</param>
    /// <param name="distances">[rows of the second set], overwritten.</param>
    /// <exception cref="ArgumentException">A distance is NaN.</exception>
    public void Row(int row, Span<float> distances)
    {
        int j = 0;
        if (!first.IsBinary && dimension >= Lanes)
        {
            ref float a = ref At(first, row);
            for (; j + 4 <= second.Count; j += 4)
            {
                Four(ref a, ref At(second, j), distances.Slice(j, 4));
            }
        }

        for (; j < second.Count; j++)
        {
            distances[j] = Pair(row, j);
        }

        foreach (float distance in distances[..second.Count])
        {
            Check(distance, row);
        }
    }

    /// <summary>The distance of one pair.</summary>
    /// <exception cref="ArgumentException">It is NaN.</exception>
    public float Pair(int row, int otherRow)
    {
        if (first.IsBinary)
        {
            return first.Distance(row, second, otherRow);
        }

        ref float a = ref At(first, row), b = ref At(second, otherRow);
        Vector256<float> sum = Vector256<float>.Zero;
        for (int k = 0; k + Lanes <= dimension; k += Lanes)
        {
            Vector256<float> difference = Load(ref a, k) - Load(ref b, k);
            sum = Vector256.FusedMultiplyAdd(difference, difference, sum);
        }

        return Check(Vector256.Sum(sum) + Rest(ref a, ref b), row);
    }

    // Four rows of the second set at once: each has the very sums of Pair, but they do not wait for one another.
    private void Four(ref float a, ref float b, Span<float> distances)
    {
        Vector256<float> sum0 = Vector256<float>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (int k = 0; k + Lanes <= dimension; k += Lanes)
        {
            Vector256<float> x = Load(ref a, k), difference = x - Load(ref b, k);
            sum0 = Vector256.FusedMultiplyAdd(difference, difference, sum0);
            difference = x - Load(ref b, k + dimension);
            sum1 = Vector256.FusedMultiplyAdd(difference, difference, sum1);
            difference = x - Load(ref b, k + (2 * dimension));
            sum2 = Vector256.FusedMultiplyAdd(difference, difference, sum2);
            difference = x - Load(ref b, k + (3 * dimension));
            sum3 = Vector256.FusedMultiplyAdd(difference, difference, sum3);
        }

        distances[0] = Vector256.Sum(sum0) + Rest(ref a, ref b);
        distances[1] = Vector256.Sum(sum1) + Rest(ref a, ref Unsafe.Add(ref b, dimension));
        distances[2] = Vector256.Sum(sum2) + Rest(ref a, ref Unsafe.Add(ref b, 2 * dimension));
        distances[3] = Vector256.Sum(sum3) + Rest(ref a, ref Unsafe.Add(ref b, 3 * dimension));
    }

    /// <summary>Where a row's values start. They are only read.</summary>
    private static ref float At(DescriptorSet set, int row) =>
        ref MemoryMarshal.GetReference(set.ValueSpan.Slice(row * set.Dimension, set.Dimension));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load(ref float values, int at) => Vector256.LoadUnsafe(ref values, (nuint)at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Rest(ref float a, ref float b)
    {
        float sum = 0;
        for (int k = dimension / Lanes * Lanes; k < dimension; k++)
        {
            float difference = Unsafe.Add(ref a, k) - Unsafe.Add(ref b, k);
            sum += difference * difference;
        }

        return sum;
    }

    private static float Check(float distance, int row) =>
        float.IsNaN(distance) ? throw new ArgumentException($"a distance of descriptor {row} is not a number") : distance;
}
