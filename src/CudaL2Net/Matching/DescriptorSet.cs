using System.Numerics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Matching;

/// <summary>Descriptors of one kind, a row each: floats that are compared by Euclidean distance, or packed bits that are compared by Hamming
/// distance.</summary>
public sealed class DescriptorSet
{
    private readonly ReadOnlyMemory<float> values;
    private readonly ReadOnlyMemory<byte> bits;
    private float[]? valueArray;
    private byte[]? bitArray;

    private DescriptorSet(ReadOnlyMemory<float> values, ReadOnlyMemory<byte> bits, bool binary, int dimension, int count)
    {
        this.values = values;
        this.bits = bits;
        IsBinary = binary;
        Dimension = dimension;
        Count = count;
    }

    /// <summary>[count][dimension], or null for a binary set. The array that the set was made of; of other memory a copy, made when it is first asked for.
    /// Nothing in the library asks where it searches.</summary>
    public float[]? Values => IsBinary ? null : valueArray ??= ArrayOf(values);

    /// <summary>[count][dimension / 8], or null for a float set. The array that the set was made of; of other memory a copy, made when it is first asked for.</summary>
    public byte[]? Bits => IsBinary ? bitArray ??= ArrayOf(bits) : null;

    /// <summary>[count][dimension], where it lies; empty for a binary set.</summary>
    internal ReadOnlySpan<float> ValueSpan => values.Span;

    /// <summary>[count][dimension / 8], where it lies; empty for a float set.</summary>
    internal ReadOnlySpan<byte> BitSpan => bits.Span;

    /// <summary>Whether the descriptors are bits, compared by Hamming distance, instead of floats, compared by Euclidean distance.</summary>
    public bool IsBinary { get; }

    /// <summary>Values, or bits, of a descriptor.</summary>
    public int Dimension { get; }

    /// <summary>Descriptors.</summary>
    public int Count { get; }

    /// <summary>Takes float descriptors, without a copy.</summary>
    /// <param name="values">[count][dimension]; they must not change while the set is used.</param>
    /// <param name="dimension">Values of a descriptor.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors.</exception>
    public static DescriptorSet FromValues(float[] values, int dimension)
    {
        ArgumentNullException.ThrowIfNull(values);
        return FromValues(values.AsMemory(), dimension);
    }

    /// <inheritdoc cref="FromValues(float[], int)"/>
    public static DescriptorSet FromValues(ReadOnlyMemory<float> values, int dimension) =>
        new(values, default, binary: false, dimension, Rows(values.Length, dimension));

    /// <summary>Copies float descriptors from memory that will not stay.</summary>
    /// <param name="values">[count][dimension].</param>
    /// <param name="dimension">Values of a descriptor.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors.</exception>
    public static DescriptorSet CopyValues(ReadOnlySpan<float> values, int dimension) => FromValues(values.ToArray(), dimension);

    /// <summary>Widens descriptors of 16 bits to the floats that they stand for, which is exact.</summary>
    /// <param name="values">[count][dimension].</param>
    /// <param name="dimension">Values of a descriptor.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors.</exception>
    public static DescriptorSet CopyValues(ReadOnlySpan<Half> values, int dimension)
    {
        var wide = new float[values.Length];
        for (int i = 0; i < wide.Length; i++)
        {
            wide[i] = (float)values[i];
        }

        return FromValues(wide, dimension);
    }

    /// <summary>Takes binary descriptors, without a copy.</summary>
    /// <param name="bits">[count][dimension / 8]: bit j of byte k is dimension 8k + j. They must not change while the set is used.</param>
    /// <param name="dimension">Bits of a descriptor, a multiple of 8.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors, or the dimension is no multiple of 8.</exception>
    public static DescriptorSet FromBits(byte[] bits, int dimension)
    {
        ArgumentNullException.ThrowIfNull(bits);
        return FromBits(bits.AsMemory(), dimension);
    }

    /// <inheritdoc cref="FromBits(byte[], int)"/>
    public static DescriptorSet FromBits(ReadOnlyMemory<byte> bits, int dimension) => dimension % 8 == 0
        ? new DescriptorSet(default, bits, binary: true, dimension, Rows(bits.Length, dimension / 8))
        : throw new ArgumentException($"binary descriptors have a multiple of 8 bits, not {dimension}");

    /// <summary>Copies binary descriptors from memory that will not stay.</summary>
    /// <param name="bits">[count][dimension / 8].</param>
    /// <param name="dimension">Bits of a descriptor, a multiple of 8.</param>
    /// <exception cref="ArgumentException">Not a whole number of descriptors, or the dimension is no multiple of 8.</exception>
    public static DescriptorSet CopyBits(ReadOnlySpan<byte> bits, int dimension) => FromBits(bits.ToArray(), dimension);

    /// <summary>The distance between a descriptor of this set and one of another: Euclidean, or the number of differing bits.</summary>
    /// <param name="row">A row of this set.</param>
    /// <param name="other">A set of the same kind and dimension.</param>
    /// <param name="otherRow">A row of the other set.</param>
    /// <exception cref="ArgumentException">The sets differ in kind or dimension.</exception>
    public float Distance(int row, DescriptorSet other, int otherRow)
    {
        RequireSameKind(other);
        double difference = Difference(row, other, otherRow);
        return (float)(IsBinary ? difference : Math.Sqrt(difference));
    }

    /// <summary>The squared Euclidean distance in double precision, or the number of differing bits.</summary>
    internal double Difference(int row, DescriptorSet other, int otherRow)
    {
        if (IsBinary)
        {
            int bytes = Dimension / 8, differing = 0;
            ReadOnlySpan<byte> x = BitSpan.Slice(row * bytes, bytes), y = other.BitSpan.Slice(otherRow * bytes, bytes);
            for (int k = 0; k < bytes; k++)
            {
                differing += BitOperations.PopCount((uint)(x[k] ^ y[k]));
            }

            return differing;
        }

        ReadOnlySpan<float> a = ValueSpan.Slice(row * Dimension, Dimension), b = other.ValueSpan.Slice(otherRow * Dimension, Dimension);
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
        if (other.Dimension != Dimension || other.IsBinary != IsBinary)
        {
            throw new ArgumentException($"descriptors of two kinds cannot be compared: {this} and {other}");
        }
    }

    /// <summary>Kind and size, for messages.</summary>
    public override string ToString() => $"{Count} {(IsBinary ? "binary" : "float")} descriptors of dimension {Dimension}";

    private static T[] ArrayOf<T>(ReadOnlyMemory<T> memory) =>
        MemoryMarshal.TryGetArray(memory, out ArraySegment<T> part) && part.Array is { } array && array.Length == memory.Length ? array : memory.ToArray();

    /// <summary>The descriptors that elements hold.</summary>
    /// <exception cref="ArgumentException">Not a whole number.</exception>
    internal static int Rows(int length, int perRow)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(perRow);
        return length % perRow == 0 ? length / perRow : throw new ArgumentException($"{length} elements are not whole descriptors of {perRow}");
    }
}
