using System.Buffers.Binary;

namespace CudaL2Net.Formats.Matlab;

/// <summary>
/// MATLAB's format 5: a header of 128 bytes, then elements, each of a type, a length and content. A variable is a matrix element, which holds elements for its
/// flags, sizes, name and content; a compressed element holds one such.
/// </summary>
internal sealed class Mat5Reader
{
    private const int HeaderBytes = 128, Matrix = 14, Compressed = 15;

    // Classes of arrays.
    private const int Cell = 1, Struct = 2, Text = 4, FirstNumeric = 6, LastNumeric = 15;

    // What a value takes besides its numbers.
    private const int ValueBytes = 200;

    private static readonly MatArray Empty = new([0, 0], [], IsText: false);

    private readonly ContentBudget budget;

    private Mat5Reader(int fileBytes) => budget = new ContentBudget(fileBytes);

    /// <summary>Reads all variables.</summary>
    /// <exception cref="ContentException">The file is damaged.</exception>
    public static Dictionary<string, MatValue> Read(byte[] bytes)
    {
        if (bytes.Length < HeaderBytes || bytes[126] != (byte)'I' || bytes[127] != (byte)'M')
        {
            throw new ContentException("its header ends too early, or its numbers are big-endian");
        }

        return new Mat5Reader(bytes.Length).Variables(new ByteCursor(bytes, HeaderBytes));
    }

    private Dictionary<string, MatValue> Variables(ByteCursor cursor)
    {
        var variables = new Dictionary<string, MatValue>();
        while (cursor.Left >= 8)
        {
            (int type, ReadOnlyMemory<byte> content) = Element(cursor);
            if (type == Compressed)
            {
                (type, content) = Element(new ByteCursor(Unpack(content)));
            }

            if (type == Matrix)
            {
                (string name, MatValue value) = Variable(content, 0);
                variables[name] = value;
            }
        }

        return cursor.Left == 0 ? variables : throw new ContentException("it ends inside the head of an element");
    }

    // A type and a length of 4 bytes each; or, for up to 4 bytes of content, 2 bytes each, the content in the same 8 bytes.
    private static (int Type, ReadOnlyMemory<byte> Content) Element(ByteCursor cursor)
    {
        uint first = cursor.UInt32();
        if (first >> 16 is > 0 and var length)
        {
            ReadOnlyMemory<byte> small = cursor.Take(4);
            return length <= 4 ? ((int)(first & 0xffff), small[..(int)length]) : throw new ContentException($"a small element has {length} bytes");
        }

        ReadOnlyMemory<byte> content = cursor.Take(cursor.UInt32());
        if (first != Compressed)
        {
            cursor.Align(8);
        }

        return ((int)first, content);
    }

    private byte[] Unpack(ReadOnlyMemory<byte> packed) => PackedBytes.Unpack(packed, stream =>
    {
        byte[] head = new byte[8];
        if (stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length)
        {
            throw new ContentException("a compressed variable ends too early");
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4));
        PackedBytes.RequirePossible(packed.Length, length);
        budget.Take(length + 8L);
        byte[] content = new byte[length + 8];
        head.CopyTo(content, 0);
        return stream.ReadAtLeast(content.AsSpan(8), (int)length, throwOnEndOfStream: false) == length
            ? content
            : throw new ContentException("a compressed variable ends too early");
    });

    private (string Name, MatValue Value) Variable(ReadOnlyMemory<byte> content, int depth)
    {
        if (depth > MatFile.MostDepth)
        {
            throw new ContentException($"cells and structs lie more than {MatFile.MostDepth} deep in one another");
        }

        // An empty cell.
        if (content.IsEmpty)
        {
            return ("", Empty);
        }

        budget.Take(ValueBytes);
        var cursor = new ByteCursor(content);
        ReadOnlySpan<byte> flags = Element(cursor).Content.Span;
        ReadOnlySpan<byte> sizes = Element(cursor).Content.Span;
        ReadOnlyMemory<byte> name = Element(cursor).Content;
        if (flags.Length < 8 || sizes.Length < 8 || sizes.Length % 4 != 0)
        {
            throw new ContentException("a variable has no flags or sizes");
        }

        int kind = flags[0];
        bool complex = (flags[1] & 8) != 0;
        var shape = new int[sizes.Length / 4];
        for (int i = 0; i < shape.Length; i++)
        {
            shape[i] = BinaryPrimitives.ReadInt32LittleEndian(sizes[(4 * i)..]);
        }

        int count = ContentBudget.Elements(shape.Select(size => (long)size));
        string text = new ByteCursor(name).Text(name.Length);
        return kind switch
        {
            Cell => (text, new MatCell(Items(cursor, count, depth))),
            Struct => (text, Structs(cursor, count, depth)),
            Text or (>= FirstNumeric and <= LastNumeric) when !complex => (text, Numeric(shape, count, Element(cursor), kind == Text)),
            _ => (text, new MatOther(complex ? "complex numbers" : $"an array of class {kind}")),
        };
    }

    // A list, for a count may be far larger than what follows.
    private List<MatValue> Items(ByteCursor cursor, int count, int depth)
    {
        var items = new List<MatValue>();
        for (int i = 0; i < count; i++)
        {
            (int type, ReadOnlyMemory<byte> content) = Element(cursor);
            items.Add(type == Matrix ? Variable(content, depth + 1).Value : throw new ContentException("a cell or field is no array"));
        }

        return items;
    }

    private MatValue Structs(ByteCursor cursor, int count, int depth)
    {
        ReadOnlyMemory<byte> length = Element(cursor).Content, names = Element(cursor).Content;
        int width = length.Length == 4 ? BinaryPrimitives.ReadInt32LittleEndian(length.Span) : 0;
        if (width <= 0 || names.Length % width != 0)
        {
            throw new ContentException("the names of a struct's fields are damaged");
        }

        string[] fields = [.. Enumerable.Range(0, names.Length / width).Select(i => new ByteCursor(names, i * width).Text(width).Split('\0')[0])];
        if (fields.Length == 0)
        {
            return new MatStruct(new Dictionary<string, MatValue>());
        }

        var structs = new List<MatValue>();
        for (int i = 0; i < count; i++)
        {
            budget.Take(ValueBytes);
            List<MatValue> values = Items(cursor, fields.Length, depth);
            var named = new Dictionary<string, MatValue>();
            for (int k = 0; k < fields.Length; k++)
            {
                named[fields[k]] = values[k];
            }

            structs.Add(new MatStruct(named));
        }

        return count == 1 ? structs[0] : new MatCell(structs);
    }

    private static MatArray Numeric(int[] shape, int count, (int Type, ReadOnlyMemory<byte> Content) element, bool isText)
    {
        const int Utf8 = 16;
        if (!isText || element.Type != Utf8)
        {
            return new MatArray(shape, Numbers(element, count), isText);
        }

        // A character may take several bytes.
        string text = new ByteCursor(element.Content).Text(element.Content.Length);
        return new MatArray([1, text.Length], [.. text.Select(letter => (float)letter)], IsText: true);
    }

    // Numbers are stored in the smallest type that holds them all, whatever the class of the array.
    private static float[] Numbers((int Type, ReadOnlyMemory<byte> Content) element, int count)
    {
        (int size, Func<ReadOnlyMemory<byte>, int, float> at) = element.Type switch
        {
            1 => (1, (Func<ReadOnlyMemory<byte>, int, float>)((bytes, i) => (sbyte)bytes.Span[i])),
            2 or 16 => (1, (bytes, i) => bytes.Span[i]),
            3 => (2, (bytes, i) => BinaryPrimitives.ReadInt16LittleEndian(bytes.Span[(2 * i)..])),
            4 or 17 => (2, (bytes, i) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span[(2 * i)..])),
            5 => (4, (bytes, i) => BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[(4 * i)..])),
            6 or 18 => (4, (bytes, i) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[(4 * i)..])),
            7 => (4, (bytes, i) => BinaryPrimitives.ReadSingleLittleEndian(bytes.Span[(4 * i)..])),
            9 => (8, (bytes, i) => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes.Span[(8 * i)..])),
            12 => (8, (bytes, i) => BinaryPrimitives.ReadInt64LittleEndian(bytes.Span[(8 * i)..])),
            13 => (8, (bytes, i) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.Span[(8 * i)..])),
            _ => throw new ContentException($"an array has numbers of the unknown type {element.Type}"),
        };
        if (element.Content.Length != (long)count * size)
        {
            throw new ContentException($"an array of {count} elements has {element.Content.Length} bytes");
        }

        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = at(element.Content, i);
        }

        return values;
    }
}
