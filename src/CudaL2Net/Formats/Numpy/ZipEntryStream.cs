using System.IO.Compression;

namespace CudaL2Net.Formats;

/// <summary>The content of a zip archive's entry, compared with the entry's checksum when all of it has been read: the runtime does not look at it.</summary>
internal sealed class ZipEntryStream : Stream
{
    private static readonly uint[] Table = MakeTable();

    private readonly ZipArchiveEntry entry;
    private readonly Stream content;
    private uint remainder = uint.MaxValue;
    private long left;

    /// <summary>Opens an entry.</summary>
    /// <exception cref="InvalidDataException">The archive is damaged.</exception>
    public ZipEntryStream(ZipArchiveEntry entry)
    {
        this.entry = entry;
        content = entry.Open();
        left = entry.Length;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => entry.Length;

    /// <inheritdoc/>
    public override long Position
    {
        get => entry.Length - left;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The entry is damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        int read = content.Read(buffer[..(int)Math.Min(buffer.Length, left)]);
        foreach (byte value in buffer[..read])
        {
            remainder = (remainder >> 8) ^ Table[(byte)(remainder ^ value)];
        }

        left -= read;
        return left > 0 || ~remainder == entry.Crc32 ? read : throw new InvalidDataException($"the checksum of {entry.FullName} is wrong");
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        content.Dispose();
        base.Dispose(disposing);
    }

    // CRC-32 as in PKWARE's description of the format: bits reversed, polynomial 0xedb88320.
    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value >> 1) ^ ((value & 1) * 0xedb88320);
            }

            table[i] = value;
        }

        return table;
    }
}
