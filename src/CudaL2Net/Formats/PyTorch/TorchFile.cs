using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Text;

namespace CudaL2Net.Formats.PyTorch;

/// <summary>
/// Reads the tensors of a state dictionary that PyTorch's <c>torch.save</c> wrote: the zip format (since 1.6) and the legacy one of several pickles before
/// it, by Python 2 and 3. Nothing in a file is executed: the pickles are read by an interpreter that knows dictionaries, lists, numbers, texts and tensors,
/// and ignores all else.
/// </summary>
public static class TorchFile
{
    // What torch.save writes before everything else in the legacy format.
    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356", System.Globalization.CultureInfo.InvariantCulture);

    // Where training programs put the weights in what they save.
    private static readonly string[] Wrappers =
        ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "net_state_dict", "state", "weights", "params", "module"];

    // What torch.nn.DataParallel and torch.compile put before all names.
    private static readonly string[] Prefixes = ["module.", "_orig_mod."];

    /// <summary>Reads all tensors: of the dictionary that is the file, or of the one in it that training programs keep weights in (<c>state_dict</c>,
    /// <c>model_state_dict</c>, <c>model</c>, <c>net</c>, ..., also one in another). Prefixes <c>module.</c> that all names have are dropped.</summary>
    /// <param name="path">A .pth, .pt or .params file.</param>
    /// <returns>The tensors by name. What is no tensor is left out.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no tensors; the text names the file and what is wrong.</exception>
    public static IReadOnlyDictionary<string, TorchTensor> Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        byte[] bytes = InputFile.ReadAll(path);
        try
        {
            return bytes.AsSpan().StartsWith("PK\u0003\u0004"u8) ? ReadZip(bytes) : ReadLegacy(bytes);
        }
        catch (ContentException error)
        {
            throw new InvalidDataException($"{path} is not a PyTorch file that can be read: {error.Message}.", error);
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException or ArgumentException or IOException)
        {
            throw new InvalidDataException($"{path} is a damaged zip archive: {error.Message.TrimEnd('.')}. Download it again.", error);
        }
    }

    private static Dictionary<string, TorchTensor> ReadZip(byte[] bytes)
    {
        using var archive = new ZipArchive(new MemoryStream(bytes, writable: false));
        ZipArchiveEntry pickle = archive.Entries.FirstOrDefault(entry => entry.Name == "data.pkl")
            ?? throw new ContentException("the archive has no data.pkl");
        string folder = pickle.FullName[..^"data.pkl".Length];
        if (archive.GetEntry(folder + "byteorder") is { } order && Encoding.ASCII.GetString(Extract(order)).Trim() != "little")
        {
            throw new ContentException("its numbers are not little-endian");
        }

        Dictionary<string, PickleTensor> weights = Weights(new PickleReader(Extract(pickle)).Read());
        long left = bytes.Length;
        return Gathered(weights, key =>
        {
            // torch.save stores each storage once and as it is: together they are smaller than the file.
            byte[] storage = Extract(archive.GetEntry($"{folder}data/{key}") ?? throw new ContentException($"the archive has no data/{key}"));
            left -= storage.Length;
            return left >= 0 ? storage : throw new ContentException("its storages are larger than the file");
        });

        byte[] Extract(ZipArchiveEntry entry)
        {
            if (entry.Length != entry.CompressedLength)
            {
                throw new ContentException($"{entry.FullName} is compressed, which torch.save does not do");
            }

            if (entry.Length > bytes.Length)
            {
                throw new ContentException($"{entry.FullName} claims {entry.Length} bytes, and the file has {bytes.Length}");
            }

            byte[] content = new byte[entry.Length];
            using var stream = new ZipEntryStream(entry);
            return stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false) == content.Length
                ? content
                : throw new ContentException($"{entry.FullName} ends too early");
        }
    }

    private static Dictionary<string, TorchTensor> ReadLegacy(byte[] bytes)
    {
        var reader = new PickleReader(bytes);
        if (bytes.Length < 2 || bytes[0] != 0x80 || reader.Read() is not BigInteger magic || magic != LegacyMagic)
        {
            FileKind kind = FileKinds.Of(bytes.AsSpan(0, Math.Min(bytes.Length, FileKinds.Bytes)));
            throw new ContentException(kind is not FileKind.PyTorch && FileKinds.NameOf(kind) is { } other
                ? $"it is {other}"
                : "it starts neither like a zip archive nor with the magic number of the format before that");
        }

        const int Version = 1001;
        if (reader.Read() is not long version || version != Version)
        {
            throw new ContentException("its format version is unknown");
        }

        if (reader.Read() is not PickleDictionary system || !system.TryGet("little_endian", out object? little) || little is not true)
        {
            throw new ContentException("its numbers are not little-endian");
        }

        Dictionary<string, PickleTensor> weights = Weights(reader.Read());
        if (reader.Read() is not List<object?> keys)
        {
            throw new ContentException("it has no list of storages");
        }

        int position = reader.Position;
        Dictionary<string, ReadOnlyMemory<byte>> storages = [];
        foreach (object? entry in keys)
        {
            if (entry is not string key || !reader.Storages.TryGetValue(key, out PickleElement? element) || bytes.Length - position < sizeof(long))
            {
                throw new ContentException("it ends inside its list of storages, or lists one whose type is not known");
            }

            int size = element.Bytes;
            long count = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(position));
            position += sizeof(long);
            if (count < 0 || count > (bytes.Length - position) / size)
            {
                throw new ContentException($"it ends inside storage {key} of {count} elements");
            }

            storages[key] = bytes.AsMemory(position, (int)count * size);
            position += (int)count * size;
        }

        return Gathered(
            weights, key => storages.TryGetValue(key, out ReadOnlyMemory<byte> storage) ? storage : throw new ContentException($"storage {key} is missing"));
    }

    private static Dictionary<string, PickleTensor> Weights(object? root)
    {
        Dictionary<string, PickleTensor> found = Find(root, []);
        return found.Count > 0 ? WithoutPrefixes(found) : throw new ContentException((root is PickleGlobal or PickleObject
            ? $"it holds {(root as PickleObject)?.Name ?? root.ToString()}, and files are read without running what they name"
            : "it holds no dictionary of tensors") + "; save model.state_dict()");
    }

    private static Dictionary<string, TorchTensor> Gathered(Dictionary<string, PickleTensor> weights, Func<string, ReadOnlyMemory<byte>> storageOf)
    {
        var storages = new Dictionary<string, ReadOnlyMemory<byte>>();
        var tensors = new Dictionary<string, TorchTensor>();
        foreach ((string name, PickleTensor tensor) in weights)
        {
            if (!storages.TryGetValue(tensor.Storage.Key, out ReadOnlyMemory<byte> storage))
            {
                storage = storageOf(tensor.Storage.Key);
                storages.Add(tensor.Storage.Key, storage);
            }

            tensors.Add(name, new TorchTensor(name, tensor, storage));
        }

        return tensors;
    }

    // The tensors of the first dictionary that has some: under one of the usual names, at the root, under the only other name that has any. A dictionary may
    // hold itself.
    private static Dictionary<string, PickleTensor> Find(object? root, HashSet<PickleDictionary> seen)
    {
        const int MostDictionaries = 1000;
        Dictionary<string, PickleTensor> found = [];
        if (root is not PickleDictionary outer || seen.Count == MostDictionaries || !seen.Add(outer))
        {
            return found;
        }

        foreach (string name in Wrappers)
        {
            if (outer.TryGet(name, out object? inner) && Find(inner, seen) is { Count: > 0 } wrapped)
            {
                return wrapped;
            }
        }

        foreach ((object? key, object? value) in outer.Entries)
        {
            if (key is string name && value is PickleTensor tensor)
            {
                found[name] = tensor;
            }
        }

        if (found.Count > 0)
        {
            return found;
        }

        string? chosen = null;
        foreach ((object? key, object? value) in outer.Entries)
        {
            if (key is string name && !name.Contains("optim", StringComparison.OrdinalIgnoreCase) && Find(value, seen) is { Count: > 0 } other)
            {
                (chosen, found) = chosen is null
                    ? (name, other)
                    : throw new ContentException($"it holds several dictionaries of tensors ({chosen}, {name}); save the state_dict() of one network");
            }
        }

        return found;
    }

    private static Dictionary<string, PickleTensor> WithoutPrefixes(Dictionary<string, PickleTensor> tensors)
    {
        while (Array.Find(Prefixes, prefix => tensors.Keys.All(name => name.Length > prefix.Length && name.StartsWith(prefix, StringComparison.Ordinal))) is { } common)
        {
            tensors = tensors.ToDictionary(tensor => tensor.Key[common.Length..], tensor => tensor.Value);
        }

        return tensors;
    }
}
