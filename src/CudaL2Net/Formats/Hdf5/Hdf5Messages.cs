using System.Text;

namespace CudaL2Net.Formats.Hdf5;

/// <summary>What the elements of a dataset or attribute are.</summary>
internal enum Hdf5Kind
{
    Integer,
    Float,
    String,
    ObjectReference,

    /// <summary>What is not read: compounds, opaque bytes, lengths of its own.</summary>
    Other,
}

/// <summary>The type of an element.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="IsSigned">For integers: whether it has a sign.</param>
internal sealed record Hdf5Type(Hdf5Kind Kind, int Size, bool IsSigned)
{
    private const int BigEndian = 1, Signed = 8;

    /// <summary>Reads a datatype message.</summary>
    public static Hdf5Type Of(ByteCursor cursor)
    {
        int kind = cursor.Byte() & 15, flags = cursor.Byte();
        cursor.Take(2);
        uint size = cursor.UInt32();
        if (size is 0 or > 1 << 20)
        {
            throw new ContentException($"an element has {size} bytes");
        }

        Hdf5Kind found = kind switch
        {
            0 when (flags & BigEndian) == 0 && size is 1 or 2 or 4 or 8 => Hdf5Kind.Integer,
            1 when (flags & BigEndian) == 0 && size is 4 or 8 => Hdf5Kind.Float,
            3 => Hdf5Kind.String,
            7 when (flags & 15) == 0 && size == 8 => Hdf5Kind.ObjectReference,
            _ => Hdf5Kind.Other,
        };
        return new Hdf5Type(found, (int)size, (flags & Signed) != 0);
    }
}

/// <summary>The messages of an object's header that are read.</summary>
internal static class Hdf5Messages
{
    public const int Dataspace = 1, Datatype = 3, Layout = 8, Filters = 11, Attribute = 12, Continuation = 16, SymbolTable = 17;

    /// <summary>The sizes of a dataspace message, the last one the fastest; none for a single element.</summary>
    public static long[] Sizes(ByteCursor cursor)
    {
        int version = cursor.Byte(), rank = cursor.Byte();
        if (version is not (1 or 2) || rank > 32)
        {
            throw new ContentException($"a dataspace of version {version} with {rank} sizes is not known");
        }

        cursor.Take(version == 1 ? 6 : 2);
        var sizes = new long[rank];
        for (int i = 0; i < rank; i++)
        {
            sizes[i] = cursor.Int64();
        }

        return sizes;
    }

    /// <summary>An attribute's name, and its content where that is text or one whole number.</summary>
    public static (string Name, object? Value) ReadAttribute(ByteCursor cursor)
    {
        int version = cursor.Byte();
        if (version is < 1 or > 3)
        {
            throw new ContentException($"an attribute of version {version} is not known");
        }

        int shared = cursor.Byte(), name = cursor.UInt16(), type = cursor.UInt16(), space = cursor.UInt16();
        cursor.Take(version == 3 ? 1 : 0);
        string text = Encoding.UTF8.GetString(Part(name).Span).Split('\0')[0];
        ReadOnlyMemory<byte> typeBytes = Part(type), spaceBytes = Part(space);
        if (version > 1 && shared != 0)
        {
            return (text, null); // Its type is elsewhere.
        }

        var element = Hdf5Type.Of(new ByteCursor(typeBytes));
        long[] sizes = Sizes(new ByteCursor(spaceBytes));
        return element.Kind switch
        {
            Hdf5Kind.String => (text, Encoding.UTF8.GetString(cursor.Take(Math.Min(element.Size, cursor.Left)).Span).Split('\0')[0]),
            Hdf5Kind.Integer when sizes.All(size => size == 1) => (text, Whole(element, cursor.Take(element.Size).Span)),
            _ => (text, null),
        };

        // Version 1 pads each part to multiples of 8 bytes.
        ReadOnlyMemory<byte> Part(int length) => cursor.Take(version == 1 ? (length + 7) / 8 * 8 : length);
    }

    /// <summary>A little-endian whole number.</summary>
    public static long Whole(Hdf5Type type, ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = type.Size - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        int unused = 64 - (8 * type.Size);
        return type.IsSigned ? (long)(value << unused) >> unused : (long)value;
    }
}
