using System.Buffers.Binary;
using System.Text;

namespace CudaL2Net.Formats;

/// <summary>Reads little-endian numbers from bytes, one after the other, and never beyond the end.</summary>
/// <param name="bytes">The bytes.</param>
/// <param name="position">Where to begin.</param>
/// <exception cref="ContentException">The bytes end too early.</exception>
internal sealed class ByteCursor(ReadOnlyMemory<byte> bytes, int position = 0)
{
    /// <summary>Where the next number begins.</summary>
    public int Position { get; private set; } = position >= 0 && position <= bytes.Length ? position : throw TooShort();

    /// <summary>Bytes from here to the end.</summary>
    public int Left => bytes.Length - Position;

    /// <summary>A cursor at an address.</summary>
    public static ByteCursor At(ReadOnlyMemory<byte> bytes, long position) =>
        position >= 0 && position <= bytes.Length ? new ByteCursor(bytes, (int)position) : throw TooShort();

    public byte Byte() => Take(1).Span[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2).Span);

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4).Span);

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);

    public double Double() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8).Span);

    /// <summary>The next bytes.</summary>
    public ReadOnlyMemory<byte> Take(long count)
    {
        if (count < 0 || count > Left)
        {
            throw TooShort();
        }

        ReadOnlyMemory<byte> taken = bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    /// <summary>The next bytes as text.</summary>
    public string Text(long count) => Encoding.UTF8.GetString(Take(count).Span);

    /// <summary>Goes on at a multiple of so many bytes from the beginning, or at the end.</summary>
    public void Align(int to) => Position = Math.Min(bytes.Length, (Position + to - 1) / to * to);

    private static ContentException TooShort() => new("it ends too early, or points beyond its end");
}
