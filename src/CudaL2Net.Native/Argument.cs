using System.Runtime.InteropServices;

namespace CudaL2Net.Native;

/// <summary>Checks of what callers give.</summary>
internal static unsafe class Argument
{
    /// <summary>A pointer that may not be NULL.</summary>
    /// <exception cref="ArgumentException">It is.</exception>
    public static void Output(void* pointer, string name)
    {
        if (pointer == null)
        {
            throw new ArgumentException($"{name} is NULL");
        }
    }

    /// <summary>A text in UTF-8.</summary>
    /// <exception cref="ArgumentException">It is NULL.</exception>
    public static string Text(byte* text, string name)
    {
        Output(text, name);
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    /// <summary>A type of descriptors: whether it is bits.</summary>
    /// <exception cref="ArgumentException">It is neither bits nor floats.</exception>
    public static bool IsBits(int type) => (ElementType)type switch
    {
        ElementType.Float => false,
        ElementType.Bits => true,
        _ => throw new ArgumentException($"the type of descriptors is {type}, expected CL2_F32 or CL2_BITS"),
    };

    /// <summary>A number of things.</summary>
    /// <exception cref="ArgumentException">It is negative, or more than this library counts.</exception>
    public static void Count(long count, string name)
    {
        if (count is < 0 or > int.MaxValue)
        {
            throw new ArgumentException($"{name} is {count}, not 0 to {int.MaxValue}");
        }
    }

    /// <summary>Memory of the caller's for results.</summary>
    /// <param name="pointer">Where it stands; may be NULL where nothing is written.</param>
    /// <param name="capacity">The elements that it holds.</param>
    /// <param name="needed">The elements that are written.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ArgumentException">It is too small, misaligned or NULL.</exception>
    public static void Buffer(void* pointer, long capacity, long needed, int size, string name)
    {
        if (capacity < needed)
        {
            throw new ArgumentException($"{name} holds {capacity} elements, and {needed} are needed");
        }

        if (needed > 0)
        {
            Aligned(pointer, size, name);
        }
    }

    /// <summary>Where elements stand.</summary>
    /// <exception cref="ArgumentException">It is NULL, or no multiple of their size.</exception>
    public static void Aligned(void* pointer, int size, string name)
    {
        Output(pointer, name);
        if ((nint)pointer % size != 0)
        {
            throw new ArgumentException($"{name} is misaligned: its address is no multiple of {size}");
        }
    }
}
