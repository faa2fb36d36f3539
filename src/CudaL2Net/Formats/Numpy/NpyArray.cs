using System.Numerics;

namespace CudaL2Net.Formats;

/// <summary>An array from a .npy file, in C order.</summary>
public sealed class NpyArray
{
    private readonly int[] shape;
    private readonly Array values;

    internal NpyArray(int[] shape, Array values)
    {
        this.shape = shape;
        this.values = values;
    }

    /// <summary>The sizes, outermost first; empty for a single value.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The type of an element: bool, an integer of 8 to 64 bits, Half, float or double.</summary>
    public Type ElementType => values.GetType().GetElementType()!;

    /// <summary>The number of elements.</summary>
    public int Count => values.Length;

    /// <summary>The elements as they are; not a copy.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not <see cref="ElementType"/>.</exception>
    public ReadOnlySpan<T> AsSpan<T>()
        where T : unmanaged => ElementType == typeof(T)
            ? (T[])values
            : throw new ArgumentException($"the array is of {ElementType.Name}, not {typeof(T).Name}");

    /// <summary>The elements as they are; not a copy. They must be of this type.</summary>
    internal T[] AsArray<T>()
        where T : unmanaged => (T[])values;

    /// <summary>The elements, of whatever type, as float32.</summary>
    public float[] ToFloats() => values switch
    {
        float[] floats => [.. floats],
        bool[] flags => Array.ConvertAll(flags, flag => flag ? 1f : 0f),
        Half[] halves => Convert(halves),
        double[] doubles => Convert(doubles),
        _ when ElementType == typeof(byte) => Convert((byte[])values),
        _ when ElementType == typeof(sbyte) => Convert((sbyte[])values),
        _ when ElementType == typeof(ushort) => Convert((ushort[])values),
        _ when ElementType == typeof(short) => Convert((short[])values),
        _ when ElementType == typeof(uint) => Convert((uint[])values),
        _ when ElementType == typeof(int) => Convert((int[])values),
        _ when ElementType == typeof(ulong) => Convert((ulong[])values),
        _ => Convert((long[])values),
    };

    /// <summary>The index of the first value that is NaN or infinite, or -1.</summary>
    public static int FirstNonFinite(ReadOnlySpan<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return i;
            }
        }

        return -1;
    }

    private static float[] Convert<T>(T[] source)
        where T : INumberBase<T> => Array.ConvertAll(source, float.CreateTruncating);
}
