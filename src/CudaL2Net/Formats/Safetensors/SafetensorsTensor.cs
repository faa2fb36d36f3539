using System.Runtime.InteropServices;

namespace CudaL2Net.Formats;

/// <summary>Element types of a safetensors file; the names are the file's.</summary>
public enum SafetensorsDtype
{
    /// <summary>One byte, 0 or 1.</summary>
    BOOL,

    /// <summary>Unsigned, 8 bits.</summary>
    U8,

    /// <summary>Signed, 8 bits.</summary>
    I8,

    /// <summary>Unsigned, 16 bits.</summary>
    U16,

    /// <summary>Signed, 16 bits.</summary>
    I16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of a float32.</summary>
    BF16,

    /// <summary>Unsigned, 32 bits.</summary>
    U32,

    /// <summary>Signed, 32 bits.</summary>
    I32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Unsigned, 64 bits.</summary>
    U64,

    /// <summary>Signed, 64 bits.</summary>
    I64,

    /// <summary>IEEE double precision.</summary>
    F64,
}

/// <summary>One array of a safetensors file: its type, its shape and its bytes, little-endian in C order.</summary>
public sealed class SafetensorsTensor
{
    private readonly int[] shape;

    /// <summary>Makes a tensor of raw bytes.</summary>
    /// <param name="dtype">The element type.</param>
    /// <param name="shape">The sizes; empty for a single value.</param>
    /// <param name="data">Product of the sizes x bytes of an element.</param>
    /// <exception cref="ArgumentException">Shape, type and number of bytes do not agree.</exception>
    public SafetensorsTensor(SafetensorsDtype dtype, ReadOnlySpan<int> shape, ReadOnlyMemory<byte> data)
    {
        Dtype = dtype;
        this.shape = shape.ToArray();
        Data = data;
        long? bytes = Multiply(SizeOf(dtype), this.shape);
        if (bytes != data.Length)
        {
            throw new ArgumentException(
                $"shape {FormatShape(shape)} of {dtype} needs {bytes?.ToString() ?? "too many"} bytes, not {data.Length}", nameof(data));
        }
    }

    /// <summary>The element type.</summary>
    public SafetensorsDtype Dtype { get; }

    /// <summary>The sizes, outermost first; empty for a single value.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The elements, little-endian in C order.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>The number of elements.</summary>
    public int Count => Data.Length / SizeOf(Dtype);

    /// <summary>A tensor with a copy of <paramref name="values"/>, in the element type that corresponds to <typeparamref name="T"/>.</summary>
    /// <param name="values">Product of the sizes values, C order.</param>
    /// <param name="shape">The sizes; none for a single value.</param>
    /// <exception cref="ArgumentException">The type has no counterpart, or the number of values does not agree with the shape.</exception>
    public static SafetensorsTensor From<T>(ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged => new(DtypeOf<T>(), shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>A float16 tensor; each value is rounded to the nearest half.</summary>
    /// <param name="values">Product of the sizes values, C order.</param>
    /// <param name="shape">The sizes; none for a single value.</param>
    /// <exception cref="ArgumentException">The number of values does not agree with the shape.</exception>
    public static SafetensorsTensor FromRoundedToHalf(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        var halves = new Half[values.Length];
        for (int i = 0; i < halves.Length; i++)
        {
            halves[i] = (Half)values[i];
        }

        return From<Half>(halves, shape);
    }

    /// <summary>The elements as they are.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the tensor's type.</exception>
    public T[] ToArray<T>()
        where T : unmanaged
    {
        SafetensorsDtype asked = DtypeOf<T>();
        return asked == Dtype ? MemoryMarshal.Cast<byte, T>(Data.Span).ToArray() : throw new ArgumentException($"the tensor is {Dtype}, not {asked}");
    }

    /// <summary>The elements as float32.</summary>
    /// <exception cref="ArgumentException">The tensor's type is none of F16, BF16, F32, F64.</exception>
    public float[] ToFloats()
    {
        switch (Dtype)
        {
            case SafetensorsDtype.F32:
                return ToArray<float>();
            case SafetensorsDtype.F64:
                return Array.ConvertAll(ToArray<double>(), value => (float)value);
            case SafetensorsDtype.F16:
                return Array.ConvertAll(ToArray<Half>(), value => (float)value);
            case SafetensorsDtype.BF16:
                return Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(Data.Span).ToArray(), value => BitConverter.UInt32BitsToSingle((uint)value << 16));
            default:
                throw new ArgumentException($"the tensor is {Dtype}, not one of F16, BF16, F32, F64");
        }
    }

    /// <summary>Bytes of an element.</summary>
    internal static int SizeOf(SafetensorsDtype dtype) => dtype switch
    {
        SafetensorsDtype.BOOL or SafetensorsDtype.U8 or SafetensorsDtype.I8 => 1,
        SafetensorsDtype.U16 or SafetensorsDtype.I16 or SafetensorsDtype.F16 or SafetensorsDtype.BF16 => 2,
        SafetensorsDtype.U32 or SafetensorsDtype.I32 or SafetensorsDtype.F32 => 4,
        SafetensorsDtype.U64 or SafetensorsDtype.I64 or SafetensorsDtype.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype)),
    };

    /// <summary>size x the product of the sizes, or null where that does not fit.</summary>
    internal static long? Multiply(long size, ReadOnlySpan<int> shape)
    {
        // A zero anywhere makes the product zero, however large the other sizes are.
        long product = size;
        bool empty = false, overflow = false;
        foreach (int length in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(shape));
            empty |= length == 0;
            overflow |= length != 0 && product > long.MaxValue / length;
            product = overflow || empty ? 1 : product * length;
        }

        return empty ? 0 : overflow ? null : product;
    }

    /// <summary>A shape as text: [128, 8, 8, 128].</summary>
    internal static string FormatShape(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    private static SafetensorsDtype DtypeOf<T>()
        where T : unmanaged => default(T) switch
        {
            bool => SafetensorsDtype.BOOL,
            byte => SafetensorsDtype.U8,
            sbyte => SafetensorsDtype.I8,
            ushort => SafetensorsDtype.U16,
            short => SafetensorsDtype.I16,
            Half => SafetensorsDtype.F16,
            uint => SafetensorsDtype.U32,
            int => SafetensorsDtype.I32,
            float => SafetensorsDtype.F32,
            ulong => SafetensorsDtype.U64,
            long => SafetensorsDtype.I64,
            double => SafetensorsDtype.F64,
            _ => throw new ArgumentException($"safetensors has no element type for {typeof(T).Name}"),
        };
}
