using System.Buffers.Binary;

namespace CudaL2Net.Imaging.Files;

/// <summary>Reads numbers from the bytes of a file. Reading beyond the end says that the file is cut short.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes, bool littleEndian, int position = 0)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;

    /// <summary>The next byte to be read.</summary>
    public int Position { get; private set; } = position;

    /// <summary>Bytes that are left.</summary>
    public readonly int Left => bytes.Length - Position;

    /// <summary>The next <paramref name="count"/> bytes.</summary>
    public ReadOnlySpan<byte> Take(long count, string what)
    {
        if (count < 0 || count > Left)
        {
            throw Damage.Cut($"{what} would end after byte {bytes.Length}, the file's last");
        }

        ReadOnlySpan<byte> taken = bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    /// <summary>Goes to a place of the file.</summary>
    public void Seek(long place, string what)
    {
        Position = place >= 0 && place <= bytes.Length ? (int)place : throw Damage.Cut($"{what} would start after byte {bytes.Length}, the file's last");
    }

    public byte Byte(string what) => Take(1, what)[0];

    public ushort UInt16(string what)
    {
        ReadOnlySpan<byte> taken = Take(2, what);
        return littleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(taken) : BinaryPrimitives.ReadUInt16BigEndian(taken);
    }

    public uint UInt32(string what)
    {
        ReadOnlySpan<byte> taken = Take(4, what);
        return littleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(taken) : BinaryPrimitives.ReadUInt32BigEndian(taken);
    }

    public ulong UInt64(string what)
    {
        ReadOnlySpan<byte> taken = Take(8, what);
        return littleEndian ? BinaryPrimitives.ReadUInt64LittleEndian(taken) : BinaryPrimitives.ReadUInt64BigEndian(taken);
    }
}
