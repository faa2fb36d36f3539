using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CudaL2Net.Formats;

/// <summary>What stands before an array's data in a .npy file (format versions 1 to 3).</summary>
/// <param name="ElementType">b1, u1 to u8, i1 to i8, f2, f4 or f8: NumPy's letter and the bytes of an element.</param>
/// <param name="BigEndian">Whether the highest byte of an element comes first.</param>
/// <param name="FortranOrder">Whether the first index runs fastest.</param>
/// <param name="Shape">The sizes, at most 32.</param>
/// <param name="Length">Bytes of the header, signature included.</param>
internal sealed partial record NpyHeader(string ElementType, bool BigEndian, bool FortranOrder, int[] Shape, int Length)
{
    /// <summary>The most sizes that an array may have, as in NumPy.</summary>
    public const int MostSizes = 32;

    private const int MostBytes = 1 << 20;

    private static readonly byte[] Magic = [0x93, .. "NUMPY"u8];

    /// <summary>Bytes of an element.</summary>
    public int ElementBytes => ElementType[1] - '0';

    /// <summary>Bytes of the data; null where that does not fit into 64 bits.</summary>
    public long? DataBytes => SafetensorsTensor.Multiply(ElementBytes, Shape);

    /// <summary>Reads the header; the stream is then where the data starts.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="length">The bytes of header and data that it has left.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">There is no header, or one of an array that is not supported.</exception>
    public static NpyHeader Read(Stream stream, long length, string name)
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

        uint textBytes = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(lengthBytes) : BinaryPrimitives.ReadUInt32LittleEndian(lengthBytes);
        int before = start.Length + lengthBytes.Length;
        if (textBytes > length - before)
        {
            throw Damaged(name, "it ends inside its header");
        }

        if (textBytes > MostBytes)
        {
            throw Damaged(name, $"its header has {textBytes} bytes, far more than an array needs");
        }

        byte[] text = new byte[textBytes];
        if (stream.ReadAtLeast(text, text.Length, throwOnEndOfStream: false) < text.Length)
        {
            throw Damaged(name, "it ends inside its header");
        }

        return Parse((version == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(text), name) with { Length = before + text.Length };
    }

    /// <summary>What to say of a file that cannot be read.</summary>
    public static InvalidDataException Damaged(string name, string reason) => new($"{name} is not a readable .npy file: {reason}.");

    private static NpyHeader Parse(string text, string name)
    {
        Match match = Pattern().Match(text);
        if (!match.Success)
        {
            throw Damaged(name, Records().IsMatch(text)
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

        string descr = Entry("descr", '\'', '"')[1..^1], order = Entry("fortran_order", 'T', 'F'), shape = Entry("shape", '(');
        if (descr is "|O" or "O")
        {
            throw Damaged(name, "it holds Python objects; save an array of numbers");
        }

        if (!ElementTypes().IsMatch(descr))
        {
            throw Damaged(name, $"its element type '{descr}' is not supported; use bool, an integer of 8 to 64 bits, or a float of 16 to 64 bits");
        }

        string[] lengths = shape[1..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (lengths.Length > MostSizes)
        {
            throw Damaged(name, $"its array has {lengths.Length} dimensions, and at most {MostSizes} are supported");
        }

        int[] sizes = new int[lengths.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            // Python 2 writes an L behind long integers.
            if (!int.TryParse(lengths[i].TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out sizes[i]))
            {
                throw Damaged(name, $"its shape {shape} is not understood");
            }
        }

        return new NpyHeader(descr.TrimStart('|', '<', '>', '='), descr[0] == '>', order == "True", sizes, 0);

        string Entry(string key, params ReadOnlySpan<char> starts) =>
            entries.TryGetValue(key, out string? value) && starts.Contains(value[0])
                ? value
                : throw Damaged(name, $"its header has no valid '{key}': {text.Trim()}");
    }

    // A dictionary as Python prints it: texts in either kind of quotes, True and False, tuples of whole numbers.
    [GeneratedRegex(
        """^\s*\{\s*(?:(?:'(?<key>\w*)'|"(?<key>\w*)")\s*:\s*(?<value>'[^'"\\]*'|"[^'"\\]*"|True|False|\([0-9L,\s]*\))\s*(?:,\s*|(?=\})))*\}\s*$""",
        RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();

    [GeneratedRegex("""['"]descr['"]\s*:\s*\[""", RegexOptions.CultureInvariant)]
    private static partial Regex Records();

    [GeneratedRegex(@"^[|<>=]?(?:b1|[ui][1248]|f[248])$", RegexOptions.CultureInvariant)]
    private static partial Regex ElementTypes();
}
