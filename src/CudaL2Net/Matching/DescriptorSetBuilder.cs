namespace CudaL2Net.Matching;

/// <summary>Gathers descriptors that come in blocks, or one by one in any order, into one set.</summary>
/// <param name="capacity">Descriptors that will come.</param>
/// <param name="dimension">Values, or bits, of a descriptor.</param>
/// <param name="binary">Whether they are bits.</param>
public sealed class DescriptorSetBuilder(int capacity, int dimension, bool binary)
{
    private readonly float[]? values = binary ? null : new float[checked(capacity * (long)dimension)];
    private readonly byte[]? bits = binary ? new byte[checked(capacity * (long)(dimension / 8))] : null;

    /// <summary>The descriptors added.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a block.</summary>
    /// <param name="block">Descriptors of the same kind.</param>
    /// <exception cref="ArgumentException">They are of another kind, or more than were to come.</exception>
    public void Add(DescriptorSet block)
    {
        ArgumentNullException.ThrowIfNull(block);
        if (block.Dimension != dimension || block.IsBinary == bits is null || Count + (long)block.Count > capacity)
        {
            string wanted = $"{capacity - Count} {(binary ? "binary" : "float")} descriptors of dimension {dimension}";
            throw new ArgumentException($"{block} do not fit: expected {wanted}");
        }

        block.ValueSpan.CopyTo(values.AsSpan(Count * (values is null ? 0 : dimension)));
        block.BitSpan.CopyTo(bits.AsSpan(Count * (bits is null ? 0 : dimension / 8)));
        Count += block.Count;
    }

    /// <summary>Sets one descriptor; those that are neither added nor set are zero.</summary>
    /// <param name="row">Its row in the set.</param>
    /// <param name="source">Descriptors of the same kind.</param>
    /// <param name="sourceRow">The row in it.</param>
    public void Set(int row, DescriptorSet source, int sourceRow)
    {
        ArgumentNullException.ThrowIfNull(source);
        int bytes = dimension / 8;
        if (source.IsBinary)
        {
            source.BitSpan.Slice(sourceRow * bytes, bytes).CopyTo(bits.AsSpan(row * bytes));
        }
        else
        {
            source.ValueSpan.Slice(sourceRow * dimension, dimension).CopyTo(values.AsSpan(row * dimension));
        }

        Count = Math.Max(Count, row + 1);
    }

    /// <summary>The set; the builder must not be used afterwards.</summary>
    /// <exception cref="InvalidOperationException">Fewer descriptors came than were to come.</exception>
    public DescriptorSet Build() => Count < capacity
        ? throw new InvalidOperationException($"{Count} of {capacity} descriptors came")
        : values is not null ? DescriptorSet.FromValues(values, dimension) : DescriptorSet.FromBits(bits!, dimension);
}
