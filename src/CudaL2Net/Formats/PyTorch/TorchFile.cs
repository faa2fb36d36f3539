using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Text;

namespace CudaL2Net.Formats.PyTorch;

/// <summary>
/// Reads the tensors of a state dictionary that PyTorch's <c>torch.save</c> wrote: the zip format (since 1.6) and the legacy one of several pickles before
/// it. Nothing in a file is executed: the pickles are read by an interpreter that knows dictionaries, lists, numbers, texts and tensors, and refuses all
/// else.
/// </summary>
public static class TorchFile
{
    // What torch.save writes before everything else in the legacy format.
    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Reads all tensors: of the dictionary that is the file, or of the one under <c>state_dict</c> (or <c>model</c>) in it.</summary>
    /// <param name="path">A .pth, .pt or .params file.</param>
    /// <returns>The tensors by name; whole numbers and doubles as floats. What is no tensor is left out.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, holds no tensors, or asks for code to be run; the text names the file and what is
    /// wrong.</exception>
    public static IReadOnlyDictionary<string, TorchTensor> Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using FileStream stream = InputFile.Open(path);
        if (stream.Length > Array.MaxLength)
        {
            throw new InvalidDataException($"{path} has {stream.Length} bytes, and PyTorch files over 2 GB are not supported");
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        try
        {
            return bytes.AsSpan().StartsWith("PK\u0003\u0004"u8) ? ReadZip(bytes) : ReadLegacy(bytes);
        }
        catch (PickleException error)
        {
            throw new InvalidDataException($"{path} is not a PyTorch file that can be read: {error.Message}.", error);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path} is a damaged zip archive: {error.Message.TrimEnd('.')}. Download it again.", error);
        }
    }

    private static Dictionary<string, TorchTensor> ReadZip(byte[] bytes)
    {
        using var archive = new ZipArchive(new MemoryStream(bytes, writable: false));
        ZipArchiveEntry pickle = archive.Entries.FirstOrDefault(entry => entry.Name == "data.pkl")
            ?? throw new PickleException("the archive has no data.pkl");
        string folder = pickle.FullName[..^"data.pkl".Length];
        if (archive.GetEntry(folder + "byteorder") is { } order && Encoding.ASCII.GetString(Extract(order)).Trim() != "little")
        {
            throw new PickleException("its numbers are not little-endian");
        }

        object? root = new PickleReader(Extract(pickle)).Read();
        return Tensors(root, key => Extract(archive.GetEntry($"{folder}data/{key}") ?? throw new PickleException($"the archive has no data/{key}")));
    }

    // torch.save stores without compression; so no entry can be larger than the file.
    private static byte[] Extract(ZipArchiveEntry entry)
    {
        if (entry.Length != entry.CompressedLength)
        {
            throw new PickleException($"{entry.FullName} is compressed, which torch.save does not do");
        }

        byte[] bytes = new byte[entry.Length];
        using Stream stream = entry.Open();
        return stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length
            ? bytes
            : throw new PickleException($"{entry.FullName} ends too early");
    }

    private static Dictionary<string, TorchTensor> ReadLegacy(byte[] bytes)
    {
        var reader = new PickleReader(bytes);
        if (bytes.Length < 2 || bytes[0] != 0x80 || reader.Read() is not BigInteger magic || magic != LegacyMagic)
        {
            throw new PickleException("it starts neither like a zip archive nor with the magic number of the format before that");
        }

        const int Version = 1001;
        if (reader.Read() is not long version || version != Version)
        {
            throw new PickleException("its format version is unknown");
        }

        if (reader.Read() is not PickleDictionary system || !system.TryGet("little_endian", out object? little) || little is not true)
        {
            throw new PickleException("its numbers are not little-endian");
        }

        object? root = reader.Read();
        if (reader.Read() is not List<object?> keys)
        {
            throw new PickleException("it has no list of storages");
        }

        int position = reader.Position;
        Dictionary<string, byte[]> storages = [];
        foreach (object? entry in keys)
        {
            if (entry is not string key || !reader.Storages.TryGetValue(key, out PickleElement? element) || bytes.Length - position < sizeof(long))
            {
                throw new PickleException("it ends inside its list of storages, or lists one that no tensor uses");
            }

            int size = element.Bytes;
            long count = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(position));
            position += sizeof(long);
            if (count < 0 || count > (bytes.Length - position) / size)
            {
                throw new PickleException($"it ends inside storage {key} of {count} elements");
            }

            storages[key] = bytes.AsSpan(position, (int)count * size).ToArray();
            position += (int)count * size;
        }

        return Tensors(root, key => storages.TryGetValue(key, out byte[]? storage) ? storage : throw new PickleException($"storage {key} is missing"));
    }

    private static Dictionary<string, PickleTensor> Find(object? root)
    {
        if (root is PickleDictionary outer)
        {
            foreach (string name in new[] { "state_dict", "model" })
            {
                if (outer.TryGet(name, out object? inner) && inner is PickleDictionary)
                {
                    root = inner;
                    break;
                }
            }
        }

        Dictionary<string, PickleTensor> found = [];
        foreach ((object? key, object? value) in (root as PickleDictionary)?.Entries ?? [])
        {
            if (key is string name && value is PickleTensor tensor)
            {
                found[name] = tensor;
            }
        }

        return found.Count > 0 ? found : throw new PickleException("it holds no dictionary of tensors; save model.state_dict()");
    }

    private static Dictionary<string, TorchTensor> Tensors(object? root, Func<string, byte[]> storageOf)
    {
        var storages = new Dictionary<string, byte[]>();
        var tensors = new Dictionary<string, TorchTensor>();
        foreach ((string name, PickleTensor tensor) in Find(root))
        {
            if (!storages.TryGetValue(tensor.Storage.Key, out byte[]? storage))
            {
                storage = storageOf(tensor.Storage.Key);
                storages.Add(tensor.Storage.Key, storage);
            }

            tensors.Add(name, Gather(name, tensor, storage));
        }

        return tensors;
    }

    // The elements of a tensor lie anywhere in its storage, by offset and strides.
    private static TorchTensor Gather(string name, PickleTensor tensor, byte[] storage)
    {
        int bytes = tensor.Storage.Type.Bytes;
        long present = storage.Length / bytes, count = 1, last = tensor.Offset;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            long size = tensor.Shape[i], stride = tensor.Strides[i];
            if (size < 0 || stride < 0 || size > present || (size > 1 && stride > present))
            {
                throw new PickleException($"tensor {name} has impossible sizes");
            }

            count *= size;
            last += Math.Max(0, size - 1) * stride;
            if (count > present)
            {
                throw new PickleException($"tensor {name} needs more than the {present} elements of its storage");
            }
        }

        if (count > 0 && (tensor.Offset < 0 || last >= present))
        {
            throw new PickleException($"tensor {name} reaches beyond the {present} elements of its storage");
        }

        float[] values = new float[count];
        var index = new long[tensor.Shape.Length];
        for (int i = 0; i < values.Length; i++)
        {
            long element = tensor.Offset;
            for (int k = 0; k < index.Length; k++)
            {
                element += index[k] * tensor.Strides[k];
            }

            values[i] = tensor.Storage.Type.ToFloat(storage.AsSpan((int)(element * bytes), bytes));
            for (int k = index.Length - 1; k >= 0 && ++index[k] == tensor.Shape[k]; k--)
            {
                index[k] = 0;
            }
        }

        return new TorchTensor(Array.ConvertAll(tensor.Shape, size => (int)size), values);
    }
}
