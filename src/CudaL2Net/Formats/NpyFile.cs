using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace CudaL2Net.Formats;

/// <summary>NumPy's .npy files (format versions 1 to 3), one array each.</summary>
public static partial class NpyFile
{
    private static readonly byte[] Magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>
    /// Reads an array of bool, integers of 8 to 64 bits, or floats of 16 to 64 bits, of either byte order, in C or Fortran order (turned to C
    /// order).
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file breaks the format, or holds objects or records; the text names the file and what is wrong.</exception>
    public static NpyArray Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using Stream stream = InputFile.Open(path);
        return Read(stream, path);
    }

    /// <summary>Reads an array from a stream that ends with it.</summary>
    /// <param name="stream">The stream; seekable.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">As in <see cref="Read(string)"/>.</exception>
    public static NpyArray Read(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Header header = ReadHeader(stream, name);
        int elementBytes = header.Descr[^1] - '0';
        long? bytes = SafetensorsTensor.Multiply(elementBytes, header.Shape);
        long present = stream.Length - stream.Position;
        if (bytes != present)
        {
            string needed = bytes?.ToString(CultureInfo.InvariantCulture) ?? "too many";
            throw Damaged(name,
                $"shape {SafetensorsTensor.FormatShape(header.Shape)} of '{header.Descr}' needs {needed} bytes of data, and {present} are there");
        }

        if (bytes > Array.MaxLength)
        {
            throw new InvalidDataException($"{name} holds {bytes} bytes of data, and arrays over 2 GB are not supported. Split it into several files.");
        }

        byte[] data = new byte[present];
        stream.ReadExactly(data);
        if (header.Descr[0] == '>')
        {
            for (int i = 0; i < data.Length; i += elementBytes)
            {
                data.AsSpan(i, elementBytes).Reverse();
            }
        }

        return new NpyArray(header.Shape, header.Descr[1..] switch
        {
            "b1" => Elements<bool>(data, header),
            "u1" => Elements<byte>(data, header),
            "i1" => Elements<sbyte>(data, header),
            "u2" => Elements<ushort>(data, header),
            "i2" => Elements<short>(data, header),
            "f2" => Elements<Half>(data, header),
            "u4" => Elements<uint>(data, header),
            "i4" => Elements<int>(data, header),
            "f4" => Elements<float>(data, header),
            "u8" => Elements<ulong>(data, header),
            "i8" => Elements<long>(data, header),
            _ => Elements<double>(data, header),
        });
    }

    /// <summary>Writes an array of byte, int or float in C order (format version 1).</summary>
    /// <param name="path">The file; replaced only once the new one is complete.</param>
    /// <param name="values">The elements.</param>
    /// <param name="shape">The sizes, at least one.</param>
    /// <exception cref="ArgumentException">The values do not fill the shape.</exception>
    /// <exception cref="IOException">The file cannot be written; an older file is untouched.</exception>
    public static void Write<T>(string path, ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        if (shape.IsEmpty || SafetensorsTensor.Multiply(1, shape) != values.Length)
        {
            throw new ArgumentException($"{values.Length} values do not fill the shape {SafetensorsTensor.FormatShape(shape)}", nameof(values));
        }

        using var writer = new NpyWriter<T>(path, shape[1..]);
        writer.Append(values, shape[0]);
        writer.Complete();
    }

    private static Header ReadHeader(Stream stream, string name)
    {
        Span<byte> start = stackalloc byte[8];
        if (stream.ReadAtLeast(start, 8, throwOnEndOfStream: false) < 8 || !start[..6].SequenceEqual(Magic))
        {
            throw Damaged(name, "it does not start with NumPy's signature");
        }

        int version = start[6];
        if (version is < 1 or > 3 || start[7] != 0)
        {
            throw Damaged(name, $"its format version is {version}.{start[7]}, and versions 1.0, 2.0 and 3.0 are known");
        }

        Span<byte> lengthBytes = stackalloc byte[version == 1 ? 2 : 4];
        if (stream.ReadAtLeast(lengthBytes, lengthBytes.Length, throwOnEndOfStream: false) < lengthBytes.Length)
        {
            throw Damaged(name, "it ends inside its header");
        }

        uint length = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(lengthBytes) : BinaryPrimitives.ReadUInt32LittleEndian(lengthBytes);
        if (length > stream.Length - stream.Position)
        {
            throw Damaged(name, "it ends inside its header");
        }

        if (length > 1 << 20)
        {
            throw Damaged(name, $"its header has {length} bytes, far more than an array needs");
        }

        byte[] text = new byte[length];
        stream.ReadExactly(text);
        return ParseHeader((version == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(text), name);
    }

    private static Header ParseHeader(string text, string name)
    {
        Match match = HeaderPattern().Match(text);
        if (!match.Success)
        {
            throw Damaged(name, text.Contains("'descr': [", StringComparison.Ordinal)
                ? "it holds records; save each field as an array of its own"
                : $"its header is not understood: {text.Trim()}");
        }

        var entries = new Dictionary<string, string>();
        for (int i = 0; i < match.Groups["key"].Captures.Count; i++)
        {
            if (!entries.TryAdd(match.Groups["key"].Captures[i].Value, match.Groups["value"].Captures[i].Value))
            {
                throw Damaged(name, $"its header has '{match.Groups["key"].Captures[i].Value}' twice");
            }
        }

        string descr = Entry("descr", '\''), order = Entry("fortran_order", 'T', 'F'), shape = Entry("shape", '(');
        descr = descr.Trim('\'');
        if (descr is "|O" or "O")
        {
            throw Damaged(name, "it holds Python objects; save an array of numbers");
        }

        if (!DescrPattern().IsMatch(descr))
        {
            throw Damaged(name, $"its element type '{descr}' is not supported; use bool, an integer of 8 to 64 bits, or a float of 16 to 64 bits");
        }

        string[] lengths = shape[1..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        int[] sizes = new int[lengths.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            if (!int.TryParse(lengths[i], NumberStyles.None, CultureInfo.InvariantCulture, out sizes[i]))
            {
                throw Damaged(name, $"its shape {shape} is not understood");
            }
        }

        return new Header(descr, order == "True", sizes);

        string Entry(string key, params ReadOnlySpan<char> starts) =>
            entries.TryGetValue(key, out string? value) && starts.Contains(value[0])
                ? value
                : throw Damaged(name, $"its header has no valid '{key}': {text.Trim()}");
    }

    private static T[] Elements<T>(byte[] data, Header header)
        where T : unmanaged
    {
        ReadOnlySpan<T> source = MemoryMarshal.Cast<byte, T>(data);
        if (!header.FortranOrder || header.Shape.Length < 2)
        {
            return source.ToArray();
        }

        var target = new T[source.Length];
        int[] shape = header.Shape, index = new int[shape.Length];
        for (int i = 0; i < source.Length; i++)
        {
            int offset = 0;
            for (int k = 0; k < shape.Length; k++)
            {
                offset = (offset * shape[k]) + index[k];
            }

            target[offset] = source[i];
            for (int k = 0; k < shape.Length && ++index[k] == shape[k]; k++)
            {
                index[k] = 0;
            }
        }

        return target;
    }

    private static InvalidDataException Damaged(string name, string reason) => new($"{name} is not a readable .npy file: {reason}.");

    [GeneratedRegex(@"^\s*\{\s*(?:'(?<key>[^']*)'\s*:\s*(?<value>'[^']*'|True|False|\([0-9,\s]*\))\s*(?:,\s*|(?=\})))*\}\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex HeaderPattern();

    [GeneratedRegex(@"^(?:[|<>=]b1|[|<>=][ui]1|[<>=][ui][248]|[<>=]f[248])$", RegexOptions.CultureInvariant)]
    private static partial Regex DescrPattern();

    private readonly record struct Header(string Descr, bool FortranOrder, int[] Shape);
}
