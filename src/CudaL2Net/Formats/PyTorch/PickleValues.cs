using System.Buffers.Binary;

namespace CudaL2Net.Formats.PyTorch;

/// <summary>A dictionary of a pickle. Keys may be anything, so the entries are kept as a list.</summary>
internal sealed class PickleDictionary
{
    public List<(object? Key, object? Value)> Entries { get; } = [];

    /// <summary>A dictionary of keys and values, in turn.</summary>
    public static PickleDictionary Of(object?[] items)
    {
        var dictionary = new PickleDictionary();
        dictionary.Add(items);
        return dictionary;
    }

    /// <summary>Adds keys and values, in turn.</summary>
    public void Add(object?[] items)
    {
        for (int i = 0; i + 1 < items.Length; i += 2)
        {
            Entries.Add((items[i], items[i + 1]));
        }
    }

    public bool TryGet(string key, out object? value)
    {
        int index = Entries.FindLastIndex(entry => entry.Key is string text && text == key);
        value = index < 0 ? null : Entries[index].Value;
        return index >= 0;
    }
}

/// <summary>An element type of PyTorch's storages.</summary>
internal sealed record PickleElement(int Bytes, Func<ReadOnlySpan<byte>, float> ToFloat)
{
    /// <summary>The storages by the names of their classes in the module <c>torch</c>.</summary>
    public static IReadOnlyDictionary<string, PickleElement> ByStorage { get; } = new Dictionary<string, PickleElement>
    {
        ["FloatStorage"] = new(4, bytes => BinaryPrimitives.ReadSingleLittleEndian(bytes)),
        ["DoubleStorage"] = new(8, bytes => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes)),
        ["HalfStorage"] = new(2, bytes => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes)),
        ["BFloat16Storage"] = new(2, bytes => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16)),
        ["LongStorage"] = new(8, bytes => BinaryPrimitives.ReadInt64LittleEndian(bytes)),
        ["IntStorage"] = new(4, bytes => BinaryPrimitives.ReadInt32LittleEndian(bytes)),
        ["ShortStorage"] = new(2, bytes => BinaryPrimitives.ReadInt16LittleEndian(bytes)),
        ["CharStorage"] = new(1, bytes => (sbyte)bytes[0]),
        ["ByteStorage"] = new(1, bytes => bytes[0]),
        ["BoolStorage"] = new(1, bytes => bytes[0]),
    };
}

/// <summary>A storage that a pickle refers to, from an offset in elements on; its bytes lie elsewhere in the file.</summary>
internal sealed record PickleStorage(PickleElement Type, string Key, long Offset);

/// <summary>A tensor: a view of a storage, sizes and strides in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>What Python would make by running a function or class of this name. It was not run, so nothing is known of it.</summary>
internal sealed record PickleObject(string Name);

/// <summary>A class or function that a pickle names.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    /// <summary>The element type, where this is a storage class.</summary>
    public PickleElement? Element => Module == "torch" ? PickleElement.ByStorage.GetValueOrDefault(Name) : null;

    /// <summary>The name as Python writes it.</summary>
    public override string ToString() => $"{Module}.{Name}";
}
