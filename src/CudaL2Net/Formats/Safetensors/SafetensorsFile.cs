using System.Buffers.Binary;
using System.Collections.ObjectModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace CudaL2Net.Formats;

/// <summary>
/// A safetensors file (https://github.com/huggingface/safetensors): the header's length as a little-endian u64, a JSON header with dtype, shape and
/// data_offsets of each tensor and a map of strings under <c>__metadata__</c>, then the data. The reader is strict: it takes nothing that the
/// format forbids.
/// </summary>
public sealed class SafetensorsFile
{
    private const int MaxHeaderBytes = 100_000_000;
    private const string MetadataKey = "__metadata__";

    private SafetensorsFile(
        string name, IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, SafetensorsTensor> tensors, bool hasDigest)
    {
        Name = name;
        Metadata = metadata;
        Tensors = tensors;
        HasDigest = hasDigest;
    }

    /// <summary>The file's path, or the name the stream was read under.</summary>
    public string Name { get; }

    /// <summary>The map of strings under <c>__metadata__</c>, without the digest; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors { get; }

    /// <summary>Whether the metadata hold the content's SHA-256 (<c>cudal2net_sha256</c>), as in all files that <see cref="Write"/> makes. The content then
    /// has it. Damage to a file without one may go unnoticed.</summary>
    public bool HasDigest { get; }

    /// <summary>Reads a file, and compares its content with its digest where it has one.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file breaks the format or has not its digest; the text names the file and what is wrong.</exception>
    public static SafetensorsFile Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using Stream stream = InputFile.Open(path);
        return Read(stream, path);
    }

    /// <summary>Reads a stream to its end, and compares its content with its digest where it has one.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">The content breaks the format or has not its digest; the text names the file and what is wrong.</exception>
    public static SafetensorsFile Read(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (stream.CanSeek && stream.Length - stream.Position > Array.MaxLength)
        {
            throw Damaged(name, $"it has {stream.Length} bytes, and files over 2 GB are not supported");
        }

        using var buffer = new MemoryStream(stream.CanSeek ? (int)(stream.Length - stream.Position) : 0);
        stream.CopyTo(buffer);
        return Parse(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), name);
    }

    /// <summary>
    /// Writes a file, with the content's SHA-256 in its metadata. The same content gives the same bytes: metadata and tensors are ordered by name, tensors
    /// first by falling element size, and the data starts at a multiple of 8 bytes, so that every tensor is aligned to its elements.
    /// </summary>
    /// <param name="path">The file; replaced only once the new one is complete.</param>
    /// <param name="tensors">The tensors by name.</param>
    /// <param name="metadata">The map of strings, or null.</param>
    /// <exception cref="ArgumentException">A tensor is called <c>__metadata__</c>, or the header is over 100 MB.</exception>
    /// <exception cref="IOException">The file cannot be written; an older file is untouched.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, Writer(tensors, metadata));

    /// <summary>The bytes of such a file.</summary>
    /// <param name="tensors">The tensors by name.</param>
    /// <param name="metadata">The map of strings, or null.</param>
    /// <exception cref="ArgumentException">A tensor is called <c>__metadata__</c>, or the header is over 100 MB.</exception>
    public static byte[] ToBytes(IReadOnlyDictionary<string, SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var stream = new MemoryStream();
        Writer(tensors, metadata)(stream);
        return stream.ToArray();
    }

    private static Action<Stream> Writer(IReadOnlyDictionary<string, SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        KeyValuePair<string, SafetensorsTensor>[] ordered =
        [
            .. tensors.OrderByDescending(tensor => SafetensorsTensor.SizeOf(tensor.Value.Dtype)).ThenBy(tensor => tensor.Key, StringComparer.Ordinal),
        ];
        metadata = new Dictionary<string, string>(metadata ?? new Dictionary<string, string>())
        {
            [SafetensorsDigest.Key] = SafetensorsDigest.Of(metadata ?? new Dictionary<string, string>(), tensors),
        };
        byte[] header = BuildHeader(ordered, metadata);
        return stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach ((_, SafetensorsTensor tensor) in ordered)
            {
                stream.Write(tensor.Data.Span);
            }
        };
    }

    /// <summary>A tensor of type F16, BF16, F32 or F64 as float32.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="shape">The shape it must have.</param>
    /// <exception cref="InvalidDataException">The tensor is missing, or its shape or type is another.</exception>
    public float[] ReadFloats(string name, params ReadOnlySpan<int> shape)
    {
        SafetensorsTensor tensor = Find(name, shape);
        return tensor.Dtype is SafetensorsDtype.F16 or SafetensorsDtype.BF16 or SafetensorsDtype.F32 or SafetensorsDtype.F64
            ? tensor.ToFloats()
            : throw new InvalidDataException(
                $"{Name}: tensor '{name}' should be of type F16, BF16, F32 or F64 but is {tensor.Dtype}. Use a file made for this purpose.");
    }

    /// <summary>A tensor in its own type.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="shape">The shape it must have.</param>
    /// <exception cref="InvalidDataException">The tensor is missing, or its shape or type is another.</exception>
    public T[] ReadArray<T>(string name, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        SafetensorsTensor tensor = Find(name, shape);
        try
        {
            return tensor.ToArray<T>();
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{Name}: tensor '{name}': {error.Message}. Use a file made for this purpose.", error);
        }
    }

    private SafetensorsTensor Find(string name, ReadOnlySpan<int> shape)
    {
        if (!Tensors.TryGetValue(name, out SafetensorsTensor? tensor))
        {
            throw new InvalidDataException($"{Name}: tensor '{name}' is missing. Use a file made for this purpose.");
        }

        return tensor.Shape.SequenceEqual(shape)
            ? tensor
            : throw new InvalidDataException(
                $"{Name}: tensor '{name}' should have shape {SafetensorsTensor.FormatShape(shape)} but has {SafetensorsTensor.FormatShape(tensor.Shape)}. "
                + "Use a file made for this purpose.");
    }

    private static byte[] BuildHeader(KeyValuePair<string, SafetensorsTensor>[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject(MetadataKey);
            foreach ((string key, string value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                json.WriteString(key, value);
            }

            json.WriteEndObject();
            long offset = 0;
            foreach ((string name, SafetensorsTensor tensor) in tensors)
            {
                if (name == MetadataKey)
                {
                    throw new ArgumentException($"a tensor may not be called {MetadataKey}", nameof(tensors));
                }

                json.WriteStartObject(name);
                json.WriteString("dtype", tensor.Dtype.ToString());
                json.WriteStartArray("shape");
                foreach (int length in tensor.Shape)
                {
                    json.WriteNumberValue(length);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Data.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.Length <= MaxHeaderBytes
            ? buffer.ToArray()
            : throw new ArgumentException($"the header would have {buffer.Length} bytes; {MaxHeaderBytes} are allowed", nameof(tensors));
    }

    private static SafetensorsFile Parse(ReadOnlyMemory<byte> file, string name)
    {
        if (file.Length < 8)
        {
            throw Damaged(name, $"it has {file.Length} bytes, too few for the length of its header");
        }

        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(file.Span);
        if (headerBytes > MaxHeaderBytes)
        {
            throw Damaged(name, "its first 8 bytes are not the length of a header");
        }

        if (headerBytes > (ulong)(file.Length - 8))
        {
            throw Damaged(name, $"it ends inside its header ({headerBytes} bytes needed, {file.Length - 8} there)");
        }

        ReadOnlyMemory<byte> header = file.Slice(8, (int)headerBytes), data = file[(8 + (int)headerBytes)..];
        if (header.IsEmpty || header.Span[0] != '{')
        {
            throw Damaged(name, "its header does not start with '{'");
        }

        if (!Utf8.IsValid(header.Span))
        {
            throw Damaged(name, "its header is not UTF-8");
        }

        try
        {
            using JsonDocument json = JsonDocument.Parse(header, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Interpret(json.RootElement, data, name);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // GetString throws InvalidOperationException where an escaped surrogate has no partner.
            throw Damaged(name, $"its header is not valid JSON: {error.Message.TrimEnd('.')}", error);
        }
    }

    private static SafetensorsFile Interpret(JsonElement root, ReadOnlyMemory<byte> data, string name)
    {
        var metadata = new Dictionary<string, string>();
        var extents = new List<(string Tensor, SafetensorsDtype Dtype, int[] Shape, long Begin, long End)>();
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name == MetadataKey)
            {
                ReadMetadata(property.Value, metadata, name);
            }
            else
            {
                extents.Add(ReadExtent(property, name));
            }
        }

        var tensors = new Dictionary<string, SafetensorsTensor>();
        long position = 0;
        extents.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        foreach ((string tensor, SafetensorsDtype dtype, int[] shape, long begin, long end) in extents)
        {
            if (begin != position)
            {
                throw Damaged(name, begin < position
                    ? $"tensor '{tensor}' overlaps another"
                    : $"there is a hole of {begin - position} bytes before tensor '{tensor}'");
            }

            if (end > data.Length)
            {
                throw Damaged(name, $"tensor '{tensor}' ends at byte {end} of the data, which has only {data.Length} bytes");
            }

            tensors.Add(tensor, new SafetensorsTensor(dtype, shape, data[(int)begin..(int)end]));
            position = end;
        }

        if (position != data.Length)
        {
            throw Damaged(name, $"{data.Length - position} bytes after the last tensor belong to none");
        }

        bool hasDigest = metadata.Remove(SafetensorsDigest.Key, out string? digest);
        return !hasDigest || digest == SafetensorsDigest.Of(metadata, tensors)
            ? new SafetensorsFile(
                name, new ReadOnlyDictionary<string, string>(metadata), new ReadOnlyDictionary<string, SafetensorsTensor>(tensors), hasDigest)
            : throw new InvalidDataException($"{name} is damaged: its content has not the SHA-256 that stands in its metadata. Make or copy it again.");
    }

    private static void ReadMetadata(JsonElement map, Dictionary<string, string> metadata, string name)
    {
        if (map.ValueKind != JsonValueKind.Object)
        {
            throw Damaged(name, $"{MetadataKey} is not a map");
        }

        foreach (JsonProperty entry in map.EnumerateObject())
        {
            metadata.Add(entry.Name, entry.Value.ValueKind == JsonValueKind.String
                ? entry.Value.GetString()!
                : throw Damaged(name, $"metadata '{entry.Name}' is not a string"));
        }
    }

    private static (string Tensor, SafetensorsDtype Dtype, int[] Shape, long Begin, long End) ReadExtent(JsonProperty property, string name)
    {
        string tensor = property.Name;
        if (property.Value.ValueKind != JsonValueKind.Object
            || property.Value.GetPropertyCount() != 3
            || !property.Value.TryGetProperty("dtype", out JsonElement type)
            || !property.Value.TryGetProperty("shape", out JsonElement sizes)
            || !property.Value.TryGetProperty("data_offsets", out JsonElement offsets))
        {
            throw Damaged(name, $"the entry of tensor '{tensor}' is not a map with just dtype, shape and data_offsets");
        }

        // Enum.TryParse would also take numbers, lists and other case.
        SafetensorsDtype[] dtypes = type.ValueKind == JsonValueKind.String
            ? [.. Enum.GetValues<SafetensorsDtype>().Where(known => type.ValueEquals(known.ToString()))]
            : [];
        if (dtypes.Length == 0)
        {
            throw Damaged(name, $"tensor '{tensor}' has the unknown dtype {type.GetRawText()}");
        }

        if (sizes.ValueKind != JsonValueKind.Array
            || sizes.EnumerateArray().Any(size => size.ValueKind != JsonValueKind.Number || !size.TryGetInt32(out int length) || length < 0))
        {
            throw Damaged(name, $"the shape of tensor '{tensor}' is not a list of sizes from 0 to {int.MaxValue}");
        }

        if (offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2
            || offsets.EnumerateArray().Any(offset => offset.ValueKind != JsonValueKind.Number || !offset.TryGetInt64(out long value) || value < 0))
        {
            throw Damaged(name, $"data_offsets of tensor '{tensor}' are not two offsets");
        }

        int[] shape = [.. sizes.EnumerateArray().Select(size => size.GetInt32())];
        long begin = offsets[0].GetInt64(), end = offsets[1].GetInt64();
        long? bytes = SafetensorsTensor.Multiply(SafetensorsTensor.SizeOf(dtypes[0]), shape);
        return end - begin == bytes
            ? (tensor, dtypes[0], shape, begin, end)
            : throw Damaged(
                name,
                $"tensor '{tensor}' of shape {SafetensorsTensor.FormatShape(shape)} and type {dtypes[0]} needs {bytes?.ToString() ?? "too many"} bytes, "
                + $"but its data_offsets give {end - begin}");
    }

    private static InvalidDataException Damaged(string name, string reason, Exception? inner = null) =>
        new($"{name} is not a valid safetensors file: {reason}. It may be truncated or damaged; make or copy it again.", inner);
}
