using System.IO.Compression;

namespace CudaL2Net.Formats;

/// <summary>Bytes that zlib packed.</summary>
internal static class PackedBytes
{
    // Deflate reaches 1032 : 1.
    private const long MostExpansion = 1040;

    /// <summary>Refuses a size that packed bytes cannot become.</summary>
    /// <exception cref="ContentException">They cannot.</exception>
    public static void RequirePossible(long packed, long unpacked)
    {
        if (unpacked > packed * MostExpansion)
        {
            throw new ContentException($"{packed} packed bytes claim to be {unpacked}");
        }
    }

    /// <summary>Unpacks.</summary>
    /// <param name="packed">The packed bytes.</param>
    /// <param name="read">Reads what is wanted.</param>
    /// <exception cref="ContentException">They are damaged.</exception>
    public static byte[] Unpack(ReadOnlyMemory<byte> packed, Func<Stream, byte[]> read)
    {
        try
        {
            using var stream = new ZLibStream(new MemoryStream(packed.ToArray()), CompressionMode.Decompress);
            return read(stream);
        }
        catch (Exception error) when (error is InvalidDataException or IOException)
        {
            throw new ContentException($"packed bytes in it are damaged ({error.Message.TrimEnd('.')})");
        }
    }
}
