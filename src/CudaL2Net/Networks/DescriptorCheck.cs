using System.Numerics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Networks;

/// <summary>Looks at descriptors before they are given out.</summary>
internal static class DescriptorCheck
{
    private const int Magnitude = 0x7fff_ffff, Infinity = 0x7f80_0000;

    /// <summary>Whether all values of a descriptor are finite, and whether all are 0.</summary>
    public static (bool Finite, bool Zero) Of(ReadOnlySpan<float> values)
    {
        // Without the sign, the bits of floats are in the order of their magnitudes; those of infinity and NaN come last.
        ReadOnlySpan<int> bits = MemoryMarshal.Cast<float, int>(values);
        Vector<int> largest = Vector<int>.Zero;
        int i = 0;
        for (; i <= bits.Length - Vector<int>.Count; i += Vector<int>.Count)
        {
            largest = Vector.Max(largest, new Vector<int>(bits[i..]) & new Vector<int>(Magnitude));
        }

        int most = 0;
        for (int k = 0; k < Vector<int>.Count; k++)
        {
            most = Math.Max(most, largest[k]);
        }

        for (; i < bits.Length; i++)
        {
            most = Math.Max(most, bits[i] & Magnitude);
        }

        return (most < Infinity, most == 0);
    }

    /// <summary>Whether all pixels of a patch are alike.</summary>
    public static bool IsUniform(ReadOnlySpan<byte> pixels) => !pixels.ContainsAnyExcept(pixels[0]);
}
