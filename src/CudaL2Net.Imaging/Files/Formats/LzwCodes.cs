namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Walks through the codes of LZW data (GIF, TIFF) and counts what they stand for, without writing it.</summary>
internal static class LzwCodes
{
    private const int MostBits = 12, MostCodes = 1 << MostBits;

    /// <summary>Counts the values. The codes must end with the end's code, or with the data.</summary>
    /// <param name="data">The packed bytes.</param>
    /// <param name="valueBits">Bits of a value: 8 for TIFF.</param>
    /// <param name="tiff">TIFF's form: the first bit is the highest, and codes grow a bit one code earlier.</param>
    /// <param name="most">More values than this are refused.</param>
    public static long Count(ReadOnlySpan<byte> data, int valueBits, bool tiff, long most)
    {
        int clear = 1 << valueBits, end = clear + 1, next = end + 1, width = valueBits + 1, held = 0, position = 0, previous = -1;
        int[] lengths = new int[MostCodes];
        lengths.AsSpan(0, clear).Fill(1);
        uint bits = 0;
        long count = 0;
        while (true)
        {
            for (; held < width && position < data.Length; held += 8, position++)
            {
                bits = tiff ? (bits << 8) | data[position] : bits | ((uint)data[position] << held);
            }

            if (held < width)
            {
                // Bits that fill the last byte.
                return held < 8 ? count : throw Damage.Because("its packed data end within a code");
            }

            held -= width;
            int code = (int)(tiff ? (bits >> held) & ((1u << width) - 1) : bits & ((1u << width) - 1));
            bits = tiff ? bits : bits >> width;
            if (code == end)
            {
                return position >= data.Length - 1 ? count : throw Damage.Because("its packed data go on behind their end");
            }

            if (code == clear)
            {
                (next, width, previous) = (end + 1, valueBits + 1, -1);
                continue;
            }

            if (code > next || (code == next && (previous < 0 || next == MostCodes)) || (previous < 0 && code >= clear))
            {
                throw Damage.Because("its packed data have a code that stands for nothing");
            }

            if (previous >= 0 && next < MostCodes)
            {
                lengths[next++] = lengths[previous] + 1;
                width = next + (tiff ? 1 : 0) >= 1 << width && width < MostBits ? width + 1 : width;
            }

            count += lengths[code];
            previous = code;
            if (count > most)
            {
                throw Damage.Because("its packed data hold more than the image");
            }
        }
    }
}
