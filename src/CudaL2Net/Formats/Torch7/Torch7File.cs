using CudaL2Net.Formats.PyTorch;

namespace CudaL2Net.Formats.Torch7;

/// <summary>
/// Reads what Lua's Torch 7 wrote by <c>torch.save</c> in its binary form, on machines of 64 bits: numbers, texts, tables, tensors, objects. Each value is an
/// int32 that says what it is, then its content; what was saved before is named by its number. Functions are refused: nothing in a file is run.
/// </summary>
internal sealed class Torch7File
{
    private const int Nil = 0, Number = 1, String = 2, Table = 3, Object = 4, Boolean = 5;

    // A network's modules lie in one another a few deep. Beyond, the reader itself would run out of stack.
    private const int MostDepth = 100;

    private const string Tensor = "Tensor", StorageEnding = "Storage", Prefix = "torch.";

    private readonly ByteCursor cursor;
    private readonly Dictionary<int, object?> known = [];

    private Torch7File(byte[] bytes) => cursor = new ByteCursor(bytes);

    /// <summary>Reads a file.</summary>
    /// <param name="path">A .t7 file.</param>
    /// <returns>null, double, string, bool, <see cref="Torch7Table"/>, <see cref="Torch7Object"/>, or <see cref="TorchTensor"/>.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or of another kind; the text names the file and what is wrong.</exception>
    public static object? Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        try
        {
            return new Torch7File(InputFile.ReadAll(path)).Value(0);
        }
        catch (ContentException error)
        {
            throw new InvalidDataException($"{path} is no Torch 7 file that can be read: {error.Message}.", error);
        }
    }

    private object? Value(int depth)
    {
        if (depth > MostDepth)
        {
            throw new ContentException($"its values lie more than {MostDepth} deep in one another");
        }

        int kind = cursor.Int32();
        return kind switch
        {
            Nil => null,
            Number => cursor.Double(),
            String => Text(),
            Boolean => cursor.Int32() != 0,
            Table or Object => Shared(kind, depth),
            6 or 7 or 8 => throw new ContentException("it holds a function, and nothing in a file is run: save the network without closures"),
            _ => throw new ContentException($"it has a value of the unknown type {kind} at {cursor.Position - 4}"),
        };
    }

    private string Text() => cursor.Text(cursor.Int32());

    private object? Shared(int kind, int depth)
    {
        int number = cursor.Int32();
        if (known.TryGetValue(number, out object? before))
        {
            return before;
        }

        if (kind == Table)
        {
            var table = new Torch7Table();
            known.Add(number, table);
            for (int left = cursor.Int32(); left > 0; left--)
            {
                object key = Value(depth + 1) ?? throw new ContentException("a key of a table is nil");
                table.Set(key, Value(depth + 1));
            }

            return table;
        }

        // Since version 1 the class stands behind "V 1".
        string name = Text();
        name = name.StartsWith("V ", StringComparison.Ordinal) ? Text() : name;
        if (name.StartsWith(Prefix, StringComparison.Ordinal) && ElementOf(name, StorageEnding) is { } stored)
        {
            var storage = new Storage(stored, cursor.Take(Bytes(cursor.Int64(), stored.Bytes)));
            known.Add(number, storage);
            return storage;
        }

        if (name.StartsWith(Prefix, StringComparison.Ordinal) && ElementOf(name, Tensor) is { } element)
        {
            // A tensor's storage is an object of its own, read before the tensor is known. It cannot name the tensor.
            TorchTensor tensor = TensorOf(element, depth);
            known.TryAdd(number, tensor);
            return tensor;
        }

        var made = new Torch7Object(name);
        known.Add(number, made);
        if (Value(depth + 1) is Torch7Table fields)
        {
            made.Fields = fields;
        }

        return made;
    }

    private TorchTensor TensorOf(PickleElement element, int depth)
    {
        int dimensions = cursor.Int32();
        if (dimensions is < 0 or > PickleReader.MostSizes)
        {
            throw new ContentException($"a tensor has {dimensions} dimensions, and at most {PickleReader.MostSizes} are supported");
        }

        long[] sizes = Longs(), strides = Longs();
        long offset = cursor.Int64() - 1; // Lua counts from 1.
        object? content = Value(depth + 1);
        if (dimensions == 0)
        {
            // An empty tensor, not a number.
            (sizes, strides, offset) = ([0], [1], 0);
        }

        Storage storage = content switch
        {
            null => new Storage(element, default),
            Storage right when right.Element == element => right,
            _ => throw new ContentException("a tensor has no storage of its own type"),
        };
        return new TorchTensor("in the file", new PickleTensor(new PickleStorage(element, "", 0), offset, sizes, strides), storage.Content);

        long[] Longs()
        {
            var values = new long[dimensions];
            for (int i = 0; i < dimensions; i++)
            {
                values[i] = cursor.Int64();
            }

            return values;
        }
    }

    // Torch's CUDA tensors are stored as those of the host.
    private static PickleElement? ElementOf(string name, string ending)
    {
        string kind = name.EndsWith(ending, StringComparison.Ordinal) ? name[Prefix.Length..^ending.Length] : "";
        kind = kind == "Cuda" ? "Float" : kind.StartsWith("Cuda", StringComparison.Ordinal) ? kind["Cuda".Length..] : kind;
        return PickleElement.ByStorage.GetValueOrDefault(kind + StorageEnding);
    }

    private static long Bytes(long count, int size) =>
        count >= 0 && count <= int.MaxValue ? count * size : throw new ContentException($"a storage of {count} elements is impossible");

    private sealed record Storage(PickleElement Element, ReadOnlyMemory<byte> Content);
}
