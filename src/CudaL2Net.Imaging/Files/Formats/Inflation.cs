using System.IO.Compression;

namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Unpacks zlib data (PNG, TIFF) to see that they are whole.</summary>
internal static class Inflation
{
    /// <summary>Counts the unpacked bytes. The checksum behind them must agree.</summary>
    /// <param name="packed">The packed bytes.</param>
    /// <param name="most">More bytes than this are refused.</param>
    public static long Count(Stream packed, long most)
    {
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        byte[] buffer = new byte[1 << 16];
        long count = 0;
        for (int read; (read = Read(unpacked, buffer)) > 0;)
        {
            count += read;
            if (count > most)
            {
                throw Damage.Because("its packed data hold more than the image");
            }
        }

        return count;
    }

    private static int Read(ZLibStream stream, byte[] buffer)
    {
        try
        {
            return stream.Read(buffer);
        }
        catch (InvalidDataException)
        {
            throw Damage.Because("its packed data cannot be unpacked");
        }
    }
}
