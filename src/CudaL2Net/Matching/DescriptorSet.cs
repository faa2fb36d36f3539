using System.Numerics;

namespace CudaL2Net.Matching;

/// <summary>Descriptors of one kind, a row each: floats that are compared by Euclidean distance, or packed bits that are compared by Hamming
/// distance.</summary>
public sealed class DescriptorSet
{
    private DescriptorSet(float[]? values, byte[]? bits, int dimension, int count)
    {
        Values = values;
        Bits = bits;
        Dimension = dimension;
        Count = count;
    }

    /// <summary>[count][dimension], or null for a binary set.</summary>
    public float[]? Values { get; }

    /// <summary>[count][dimension / 8], or null for a float set.</summary>
    public byte[]? Bits { get; }

    /// <summary>Values, or bits, of a descriptor.</summary>
    public int Dimension { get; }

    /// <summary>Descriptors.</summary>
    public int Count { get; }

    /// <summary>Takes float descriptors, without a copy.</summary>
    /// <param name="values">[count][dimension].</param>
    /// <param name="dimension">Values of a descriptor.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors.</exception>
    public static DescriptorSet FromValues(float[] values, int dimension)
    {
        ArgumentNullException.ThrowIfNull(values);
        return new DescriptorSet(values, null, dimension, Rows(values.Length, dimension));
    }

    /// <summary>Takes binary descriptors, without a copy.</summary>
    /// <param name="bits">[count][dimension / 8].</param>
    /// <param name="dimension">Bits of a descriptor, a multiple of 8.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors, or the dimension is no multiple of 8.</exception>
    public static DescriptorSet FromBits(byte[] bits, int dimension)
    {
        ArgumentNullException.ThrowIfNull(bits);
        if (dimension % 8 != 0)
        {
            throw new ArgumentException($"binary descriptors have a multiple of 8 bits, not {dimension}");
        }

        return new DescriptorSet(null, bits, dimension, Rows(bits.Length, dimension / 8));
    }

    /// <summary>The distance between a descriptor of this set and one of another: Euclidean, or the number of differing bits.</summary>
    /// <param name="row">A row of this set.</param>
    /// <param name="other">A set of the same kind and dimension.</param>
    /// <param name="otherRow">A row of the other set.</param>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    public float Distance(int row, DescriptorSet other, int otherRow)
    {
        RequireSameKind(other);
        double difference = Difference(row, other, otherRow);
        return (float)(Values is null ? difference : Math.Sqrt(difference));
    }

    /// <summary>The squared Euclidean distance in double precision, or the number of differing bits.</summary>
    internal double Difference(int row, DescriptorSet other, int otherRow)
    {
        if (Values is null)
        {
            int bytes = Dimension / 8, differing = 0;
            for (int k = 0; k < bytes; k++)
            {
                differing += BitOperations.PopCount((uint)(Bits![(row * bytes) + k] ^ other.Bits![(otherRow * bytes) + k]));
            }

            return differing;
        }

        ReadOnlySpan<float> a = Values.AsSpan(row * Dimension, Dimension), b = other.Values.AsSpan(otherRow * Dimension, Dimension);
        double sum = 0;
        for (int k = 0; k < a.Length; k++)
        {
            double difference = (double)a[k] - b[k];
            sum += difference * difference;
        }

        return sum;
    }

    internal void RequireSameKind(DescriptorSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Dimension != Dimension || other.Values is null != Values is null)
        {
            throw new ArgumentException($"descriptors of two kinds cannot be compared: {this} and {other}");
        }
    }

    /// <summary>Kind and size, for messages.</summary>
    public override string ToString() => $"{Count} {(Values is null ? "binary" : "float")} descriptors of dimension {Dimension}";

    private static int Rows(int length, int perRow)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(perRow);
        return length % perRow == 0 ? length / perRow : throw new ArgumentException($"{length} elements are not whole descriptors of {perRow}");
    }
}
