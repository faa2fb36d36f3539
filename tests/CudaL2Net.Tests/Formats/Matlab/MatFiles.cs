using System.IO.Compression;
using System.Text;

namespace CudaL2Net.Tests.Formats.Matlab;

/// <summary>Writes MATLAB files of format 5 byte by byte.</summary>
internal static class MatFiles
{
    private const int Cell = 1, Struct = 2, Text = 4, Double = 6, Single = 7;

    /// <summary>An array of floats, the first index the fastest.</summary>
    public sealed record Array(float[] Values, params int[] Shape);

    /// <summary>A file's bytes. Values are texts, doubles, arrays, lists (cells) and dictionaries (structs).</summary>
    public static byte[] Of(bool compressed, params (string Name, object Value)[] variables)
    {
        var header = new byte[128];
        Encoding.ASCII.GetBytes("MATLAB 5.0 MAT-file, by a test").CopyTo(header, 0);
        (header[124], header[125], header[126], header[127]) = (0, 1, (byte)'I', (byte)'M');
        return [.. header, .. variables.SelectMany(variable =>
        {
            byte[] matrix = Matrix(variable.Name, variable.Value);
            return compressed ? Packed(matrix) : matrix;
        })];
    }

    /// <summary>An element: type, length, content, padding.</summary>
    public static byte[] Element(int type, byte[] content) =>
        [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(content.Length), .. content, .. new byte[(8 - (content.Length % 8)) % 8]];

    /// <summary>A compressed element around others.</summary>
    public static byte[] Packed(byte[] elements)
    {
        using var packed = new MemoryStream();
        using (var stream = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            stream.Write(elements);
        }

        return [.. BitConverter.GetBytes(15), .. BitConverter.GetBytes((int)packed.Length), .. packed.ToArray()];
    }

    public static byte[] Matrix(string name, object value) => value switch
    {
        string text => Matrix(Text, name, [1, text.Length], Element(4, [.. text.SelectMany(letter => BitConverter.GetBytes(letter))])),

        // A double that is a small number is stored in a byte.
        double number => Matrix(Double, name, [1, 1], Small(2, [(byte)number])),
        Array array => Matrix(Single, name, array.Shape, Element(7, [.. array.Values.SelectMany(BitConverter.GetBytes)])),
        object[] items => Matrix(Cell, name, [1, items.Length], [.. items.SelectMany(item => Matrix("", item))]),
        Dictionary<string, object> fields => Matrix(Struct, name, [1, 1],
        [
            .. Small(5, BitConverter.GetBytes(32)),
            .. Element(1, [.. fields.Keys.SelectMany(key => Encoding.ASCII.GetBytes(key.PadRight(32, '\0')))]),
            .. fields.Values.SelectMany(field => Matrix("", field)),
        ]),
        _ => throw new NotSupportedException(value.GetType().Name),
    };

    /// <summary>A matrix element of a class.</summary>
    public static byte[] Matrix(int kind, string name, int[] shape, byte[] content) => Element(14,
    [
        .. Element(6, [.. BitConverter.GetBytes(kind), 0, 0, 0, 0]), .. Element(5, [.. shape.SelectMany(BitConverter.GetBytes)]),
        .. Element(1, Encoding.ASCII.GetBytes(name)), .. content,
    ]);

    private static byte[] Small(int type, byte[] content) =>
        [.. BitConverter.GetBytes((ushort)type), .. BitConverter.GetBytes((ushort)content.Length), .. content, .. new byte[4 - content.Length]];
}
