using System.Globalization;
using System.Runtime.InteropServices;

namespace CudaL2Net.Formats;

/// <summary>NumPy's .npy files (format versions 1 to 3), one array each.</summary>
public static class NpyFile
{
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
        return Read(stream, stream.Length - stream.Position, name);
    }

    /// <summary>Reads an array from a stream of known length.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="length">The bytes that it has left.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">As in <see cref="Read(string)"/>.</exception>
    internal static NpyArray Read(Stream stream, long length, string name)
    {
        return ReadData(stream, ReadHeader(stream, length, name), name);
    }

    /// <summary>Reads the header, and compares the bytes that the array needs with those that are there.</summary>
    /// <inheritdoc cref="Read(Stream, long, string)"/>
    internal static NpyHeader ReadHeader(Stream stream, long length, string name)
    {
        NpyHeader header = NpyHeader.Read(stream, length, name);
        long? bytes = header.DataBytes;
        long present = length - header.Length;
        if (bytes != present)
        {
            string needed = bytes?.ToString(CultureInfo.InvariantCulture) ?? "too many";
            throw NpyHeader.Damaged(name,
                $"shape {SafetensorsTensor.FormatShape(header.Shape)} of '{header.ElementType}' needs {needed} bytes of data, and {present} are there");
        }

        return header;
    }

    /// <summary>Reads elements, of the whole array or of some of its rows.</summary>
    /// <param name="stream">The stream, where they start.</param>
    /// <param name="header">Their type, order and sizes.</param>
    /// <param name="name">What errors call the array.</param>
    internal static NpyArray ReadData(Stream stream, NpyHeader header, string name)
    {
        if (header.DataBytes > Array.MaxLength)
        {
            throw new InvalidDataException($"{name} holds {header.DataBytes} bytes of data, and arrays over 2 GB are not supported. Split it into several files.");
        }

        return new NpyArray(header.Shape, header.ElementType switch
        {
            "b1" => Elements<bool>(stream, header, name),
            "u1" => Elements<byte>(stream, header, name),
            "i1" => Elements<sbyte>(stream, header, name),
            "u2" => Elements<ushort>(stream, header, name),
            "i2" => Elements<short>(stream, header, name),
            "f2" => Elements<Half>(stream, header, name),
            "u4" => Elements<uint>(stream, header, name),
            "i4" => Elements<int>(stream, header, name),
            "f4" => Elements<float>(stream, header, name),
            "u8" => Elements<ulong>(stream, header, name),
            "i8" => Elements<long>(stream, header, name),
            _ => Elements<double>(stream, header, name),
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

    private static T[] Elements<T>(Stream stream, NpyHeader header, string name)
        where T : unmanaged
    {
        var source = new T[header.DataBytes!.Value / header.ElementBytes];
        Span<byte> bytes = MemoryMarshal.AsBytes(source.AsSpan());
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw NpyHeader.Damaged(name, "it ends inside its data");
        }

        if (header.BigEndian)
        {
            for (int i = 0; i < bytes.Length; i += header.ElementBytes)
            {
                bytes.Slice(i, header.ElementBytes).Reverse();
            }
        }

        return header.FortranOrder && header.Shape.Length > 1 ? Turn(source, header.Shape) : source;
    }

    // From the order in which the first index runs fastest to that in which the last one does.
    private static T[] Turn<T>(T[] source, int[] shape)
    {
        var target = new T[source.Length];
        int[] index = new int[shape.Length];
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
}
