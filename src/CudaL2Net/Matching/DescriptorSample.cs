using CudaL2Net.Numerics;

namespace CudaL2Net.Matching;

/// <summary>An even sample of descriptors that pass by (reservoir sampling): the same ones give the same sample.</summary>
/// <param name="dimension">Values, or bits, of a descriptor.</param>
/// <param name="binary">Whether they are bits.</param>
/// <param name="capacity">The most that are kept.</param>
public sealed class DescriptorSample(int dimension, bool binary, int capacity = 4000)
{
    private readonly int width = binary ? dimension / 8 : dimension;
    private readonly List<float[]> values = [];
    private readonly List<byte[]> bits = [];
    private PhiloxStream draws = new(0, DrawPurpose.Evaluation, 2);
    private int seen;

    /// <summary>The descriptors kept.</summary>
    public int Count => binary ? bits.Count : values.Count;

    /// <summary>Lets descriptors pass by.</summary>
    /// <param name="descriptors">Descriptors of this kind.</param>
    /// <exception cref="ArgumentException">They are of another kind.</exception>
    public void Add(DescriptorSet descriptors)
    {
        ArgumentNullException.ThrowIfNull(descriptors);
        if (descriptors.Dimension != dimension || descriptors.IsBinary != binary)
        {
            throw new ArgumentException($"{descriptors} do not fit a sample of {(binary ? "binary" : "float")} descriptors of dimension {dimension}");
        }

        for (int row = 0; row < descriptors.Count; row++)
        {
            int place = seen < capacity ? seen : draws.Next(seen + 1);
            seen++;
            if (place >= capacity)
            {
                continue;
            }

            if (binary)
            {
                Put(bits, place, descriptors.BitSpan.Slice(row * width, width));
            }
            else
            {
                Put(values, place, descriptors.ValueSpan.Slice(row * width, width));
            }
        }
    }

    /// <summary>The sample.</summary>
    public DescriptorSet ToSet() => binary
        ? DescriptorSet.FromBits([.. bits.SelectMany(row => row)], dimension)
        : DescriptorSet.FromValues([.. values.SelectMany(row => row)], dimension);

    private static void Put<T>(List<T[]> rows, int place, ReadOnlySpan<T> row)
    {
        if (place == rows.Count)
        {
            rows.Add(row.ToArray());
        }
        else
        {
            row.CopyTo(rows[place]);
        }
    }
}
