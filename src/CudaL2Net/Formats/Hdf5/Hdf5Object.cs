using System.Buffers.Binary;

namespace CudaL2Net.Formats.Hdf5;

/// <summary>A group or a dataset, by the messages of its header.</summary>
/// <param name="file">The file.</param>
internal sealed class Hdf5Object(Hdf5File file)
{
    private const int Compact = 0, Contiguous = 1, Chunked = 2, Deflate = 1, Shuffle = 2;

    // What an address is where nothing was written.
    private const long Undefined = -1;

    private readonly Dictionary<string, object?> attributes = [];
    private ByteCursor? group;
    private ByteCursor? layout;
    private List<int> filters = [];

    /// <summary>For a dataset: what its elements are.</summary>
    public Hdf5Type? Type { get; private set; }

    /// <summary>For a dataset: its sizes, the last one the fastest.</summary>
    public long[] Sizes { get; private set; } = [];

    /// <summary>Whether it is a group.</summary>
    public bool IsGroup => group is not null;

    /// <summary>The text or the number of an attribute; null where there is none of that name.</summary>
    public object? Attribute(string name) => attributes.GetValueOrDefault(name);

    /// <summary>Takes a message of the header.</summary>
    public void Add(int type, ByteCursor content)
    {
        switch (type)
        {
            case Hdf5Messages.Dataspace:
                Sizes = Hdf5Messages.Sizes(content);
                break;
            case Hdf5Messages.Datatype:
                Type = Hdf5Type.Of(content);
                break;
            case Hdf5Messages.Layout:
                layout = content;
                break;
            case Hdf5Messages.Filters:
                filters = FiltersOf(content);
                break;
            case Hdf5Messages.Attribute:
                (string name, object? value) = Hdf5Messages.ReadAttribute(content);
                attributes[name] = value;
                break;
            case Hdf5Messages.SymbolTable:
                group = content;
                break;
        }
    }

    /// <summary>A group's members: their names and addresses.</summary>
    public Dictionary<string, long> Members() => file.Members(group ?? throw new ContentException("what should be a group is none"));

    /// <summary>A dataset's bytes, [elements][size of an element].</summary>
    public byte[] Read()
    {
        if (Type is null || layout is null)
        {
            throw new ContentException("a dataset has no type or no layout");
        }

        int version = layout.Byte(), kind = layout.Byte();
        if (version != 3)
        {
            throw new ContentException($"a dataset's layout of version {version} is not known");
        }

        long length = (long)ContentBudget.Elements(Sizes) * Type.Size;
        file.Budget.Take(length);
        switch (kind)
        {
            case Compact:
                return Exact(layout.Take(layout.UInt16()), length);
            case Contiguous:
                (long address, long stored) = (layout.Int64(), layout.Int64());
                return length == 0 ? [] : Exact(file.At(address).Take(stored), length);
            case Chunked:
                return Chunks(layout, length);
            default:
                throw new ContentException($"a dataset's layout of class {kind} is not known");
        }
    }

    private static byte[] Exact(ReadOnlyMemory<byte> bytes, long length) =>
        bytes.Length == length ? bytes.ToArray() : throw new ContentException($"a dataset of {length} bytes has {bytes.Length}");

    private static List<int> FiltersOf(ByteCursor cursor)
    {
        int version = cursor.Byte(), count = cursor.Byte();
        if (version is not (1 or 2))
        {
            throw new ContentException($"filters of version {version} are not known");
        }

        cursor.Take(version == 1 ? 6 : 0);
        var found = new List<int>();
        for (int i = 0; i < count; i++)
        {
            int id = cursor.UInt16(), name = version == 1 || id >= 256 ? cursor.UInt16() : 0;
            cursor.Take(2);
            int values = cursor.UInt16();
            cursor.Take(version == 1 ? (name + 7) / 8 * 8 : name);
            cursor.Take(4 * (version == 1 ? (values + 1) / 2 * 2 : values));
            found.Add(id);
        }

        return found;
    }

    private byte[] Chunks(ByteCursor cursor, long length)
    {
        int rank = cursor.Byte() - 1;
        long tree = cursor.Int64();
        if (rank != Sizes.Length || rank == 0)
        {
            throw new ContentException($"chunks of {rank} sizes do not fit a dataset of {Sizes.Length}");
        }

        var chunk = new long[rank];
        for (int i = 0; i < rank; i++)
        {
            chunk[i] = cursor.UInt32();
        }

        int size = Type!.Size;
        long chunkBytes = (long)ContentBudget.Elements(chunk) * size;
        if (chunkBytes is 0 or > int.MaxValue || cursor.UInt32() != size)
        {
            throw new ContentException("a dataset's chunks have no size, or elements of another one");
        }

        if (length == 0 || tree == Undefined)
        {
            return length == 0 ? [] : throw new ContentException("a dataset has no content");
        }

        // A key: bytes stored, filters left out, and where the chunk begins in each dimension, with one more for the bytes of an element.
        List<(ReadOnlyMemory<byte> Key, long Address)> leaves = file.Leaves(tree, 1, 8 + (8 * (rank + 1)));
        if (leaves.Count != chunk.Zip(Sizes, (extent, all) => (all + extent - 1) / extent).Aggregate(1L, (product, count) => product * count))
        {
            throw new ContentException($"a dataset of {length} bytes has {leaves.Count} chunks of {chunkBytes}");
        }

        // Chunks reach beyond the dataset, but not far.
        file.Budget.Take(leaves.Count * chunkBytes);

        byte[] content = new byte[length];
        long copied = 0;
        foreach ((ReadOnlyMemory<byte> key, long address) in leaves)
        {
            var head = new ByteCursor(key);
            (uint stored, uint skipped) = (head.UInt32(), head.UInt32());
            var start = new long[rank];
            for (int i = 0; i < rank; i++)
            {
                start[i] = head.Int64();
                if (start[i] < 0 || start[i] >= Sizes[i] || start[i] % chunk[i] != 0)
                {
                    throw new ContentException("a chunk lies outside of its dataset");
                }
            }

            if (stored > (2 * chunkBytes) + 1024)
            {
                throw new ContentException($"a chunk of {chunkBytes} bytes is stored in {stored}");
            }

            byte[] unpacked = Unpack(file.At(address).Take(stored), chunkBytes, skipped);
            copied += Place(unpacked, chunk, start, content, size);
        }

        return copied == length ? content : throw new ContentException($"a dataset's chunks fill {copied} of {length} bytes");
    }

    // Filters were applied in their order; a bit of the mask says that one was not.
    private byte[] Unpack(ReadOnlyMemory<byte> stored, long length, uint skipped)
    {
        byte[] bytes = stored.ToArray();
        for (int i = filters.Count - 1; i >= 0; i--)
        {
            if ((skipped >> i & 1) != 0)
            {
                continue;
            }

            bytes = filters[i] switch
            {
                Deflate => Inflate(bytes, length),
                Shuffle => Unshuffle(bytes, Type!.Size),
                _ => throw new ContentException($"a dataset is packed by filter {filters[i]}, which is not known"),
            };
        }

        return bytes.Length == length ? bytes : throw new ContentException($"a chunk has {bytes.Length} bytes in place of {length}");
    }

    private static byte[] Inflate(byte[] packed, long length)
    {
        PackedBytes.RequirePossible(packed.Length, length);
        return PackedBytes.Unpack(packed, stream =>
        {
            byte[] bytes = new byte[length];
            return stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length && stream.ReadByte() < 0
                ? bytes
                : throw new ContentException("a chunk unpacks to another size");
        });
    }

    // The first bytes of all elements stand before the second ones, and so on.
    private static byte[] Unshuffle(byte[] bytes, int size)
    {
        int count = bytes.Length / size;
        byte[] elements = new byte[count * size];
        for (int i = 0; i < elements.Length; i++)
        {
            elements[i] = bytes[(i % size * count) + (i / size)];
        }

        return elements;
    }

    // Copies what of a chunk lies inside the dataset, row by row of its last dimension; returns the bytes.
    private long Place(byte[] from, long[] chunk, long[] start, byte[] to, int size)
    {
        int rank = chunk.Length;
        long[] inside = [.. chunk.Select((extent, i) => Math.Min(extent, Sizes[i] - start[i]))];
        long rows = inside.Take(rank - 1).Aggregate(1L, (product, extent) => product * extent), width = inside[^1] * size;
        for (long row = 0; row < rows; row++)
        {
            long left = row, source = 0, target = 0, sourceStep = chunk[^1], targetStep = Sizes[^1];
            for (int i = rank - 2; i >= 0; i--)
            {
                long index = left % inside[i];
                left /= inside[i];
                source += index * sourceStep;
                target += (start[i] + index) * targetStep;
                sourceStep *= chunk[i];
                targetStep *= Sizes[i];
            }

            from.AsSpan((int)(source * size), (int)width).CopyTo(to.AsSpan((int)((target + start[^1]) * size)));
        }

        return rows * width;
    }
}

/// <summary>The elements of a dataset as numbers.</summary>
internal static class Hdf5Numbers
{
    /// <summary>Whole numbers and floats, as float32.</summary>
    /// <exception cref="ContentException">The elements are no numbers.</exception>
    public static float[] ToFloats(Hdf5Type type, byte[] bytes)
    {
        var values = new float[bytes.Length / type.Size];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes.AsSpan(i * type.Size, type.Size);
            values[i] = (type.Kind, type.Size) switch
            {
                (Hdf5Kind.Float, 4) => BinaryPrimitives.ReadSingleLittleEndian(element),
                (Hdf5Kind.Float, 8) => (float)BinaryPrimitives.ReadDoubleLittleEndian(element),
                (Hdf5Kind.Integer, _) => Hdf5Messages.Whole(type, element),
                _ => throw new ContentException("a dataset holds no numbers"),
            };
        }

        return values;
    }
}
