using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace CudaL2Net.Formats;

/// <summary>
/// Writes a .npy array row by row without holding it in memory; the number of rows need not be known. The file appears, whole, with
/// <see cref="Complete"/>; without it nothing is left.
/// </summary>
/// <typeparam name="T">byte, int or float.</typeparam>
public sealed class NpyWriter<T> : IDisposable
    where T : unmanaged
{
    // Ten bytes of signature, version and length, and room for any number of rows.
    private const int HeaderBytes = 128;

    private readonly string path;
    private readonly int[] rowShape;
    private readonly int rowLength;
    private readonly AtomicFile file;
    private long rows;

    /// <summary>Starts a file.</summary>
    /// <param name="path">Where it will be.</param>
    /// <param name="rowShape">The sizes of a row: {128} for descriptors; none where a row is a single value.</param>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public NpyWriter(string path, params ReadOnlySpan<int> rowShape)
    {
        _ = Descr;
        this.path = path;
        this.rowShape = rowShape.ToArray();
        rowLength = checked((int)(SafetensorsTensor.Multiply(1, rowShape) ?? throw new ArgumentException("a row is too long", nameof(rowShape))));
        file = AtomicFile.Create(path);
        WriteToFile(stream => stream.Write(new byte[HeaderBytes]));
    }

    private static string Descr => default(T) switch
    {
        byte => "|u1",
        int => "<i4",
        float => "<f4",
        _ => throw new NotSupportedException($"arrays of byte, int and float are written, not of {typeof(T).Name}"),
    };

    /// <summary>Adds whole rows.</summary>
    /// <param name="values">[rows][row shape].</param>
    /// <exception cref="ArgumentException">The values are no whole number of rows.</exception>
    /// <exception cref="IOException">They cannot be written.</exception>
    public void Append(ReadOnlySpan<T> values) => Append(values, rowLength == 0 ? 0 : values.Length / rowLength);

    /// <summary>Gives the file its header and its name.</summary>
    /// <exception cref="IOException">That failed; an older file is untouched.</exception>
    public void Complete()
    {
        string shape = rowShape.Length == 0 ? $"({rows},)" : $"({rows}, {string.Join(", ", rowShape)})";
        string text = $"{{'descr': '{Descr}', 'fortran_order': False, 'shape': {shape}, }}";
        byte[] header = new byte[HeaderBytes];
        ((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0]).CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), HeaderBytes - 10);
        header.AsSpan(10).Fill((byte)' ');
        Encoding.ASCII.GetBytes(text, header.AsSpan(10));
        header[^1] = (byte)'\n';
        WriteToFile(stream =>
        {
            stream.Position = 0;
            stream.Write(header);
        });
        file.Commit();
    }

    /// <summary>Removes what was written unless <see cref="Complete"/> was called.</summary>
    public void Dispose() => file.Dispose();

    internal void Append(ReadOnlySpan<T> values, int count)
    {
        if ((long)count * rowLength != values.Length)
        {
            throw new ArgumentException($"{values.Length} values are no whole number of rows of {rowLength}", nameof(values));
        }

        try
        {
            file.Stream.Write(MemoryMarshal.AsBytes(values));
        }
        catch (IOException error)
        {
            throw AtomicFile.Explain(path, error);
        }

        rows += count;
    }

    private void WriteToFile(Action<Stream> write)
    {
        try
        {
            write(file.Stream);
        }
        catch (IOException error)
        {
            file.Dispose();
            throw AtomicFile.Explain(path, error);
        }
    }
}
