using System.Buffers.Binary;

namespace CudaL2Net.Imaging.Files.Jpeg;

/// <summary>The bits of a JPEG scan up to the next marker. A byte FF of the data is stored as FF 00.</summary>
internal ref struct JpegBits(ReadOnlySpan<byte> data, int position)
{
    private readonly ReadOnlySpan<byte> data = data;
    private int position = position;
    private ulong buffer;
    private int count;

    /// <summary>The next 16 bits; zeros after the end. At least 32 bits can be taken after this, if there are as many.</summary>
    public int Peek16()
    {
        if (count < 32)
        {
            Fill();
        }

        return (int)(buffer >> 48);
    }

    /// <summary>Passes over bits that were looked at.</summary>
    public void Skip(int bits)
    {
        count -= bits;
        if (count < 0)
        {
            throw position >= data.Length - 1
                ? Damage.Cut("its last scan has no end")
                : Damage.Because("a scan has too few bytes for its part of the image");
        }

        buffer <<= bits;
    }

    /// <summary>Up to 16 bits, of which at least 16 were made sure by <see cref="Peek16"/>.</summary>
    public int Take(int bits)
    {
        int value = (int)((buffer >> 1) >> (63 - bits));
        Skip(bits);
        return value;
    }

    /// <summary>Passes over any number of bits.</summary>
    public void SkipMany(int bits)
    {
        for (; bits > 0; bits -= 16)
        {
            Peek16();
            Skip(Math.Min(bits, 16));
        }
    }

    /// <summary>Passes over a block's coefficients behind the first, of a sequential scan. Most of the time goes here.</summary>
    /// <param name="table">The codes.</param>
    /// <param name="mostBits">For each coefficient the most bits of its value; 0 behind the block.</param>
    /// <returns>Whether the coefficients can be.</returns>
    public bool SkipBlock(HuffmanTable table, ReadOnlySpan<byte> mostBits)
    {
        ReadOnlySpan<int> moves = table.Moves;
        ReadOnlySpan<byte> most = mostBits[..128];
        ulong ahead = buffer;
        int left = count;
        bool possible = true;
        for (int k = 1; k < 64 && possible;)
        {
            if (left < 32)
            {
                (buffer, count) = (ahead, left);
                Fill();
                (ahead, left) = (buffer, count);
            }

            int move = moves[(int)(ahead >> (64 - HuffmanTable.Direct))];
            if (move == 0)
            {
                (int length, int symbol) = table.Find((int)(ahead >> 48));
                move = HuffmanTable.Move(length, symbol);
            }

            int taken = move & 0xFF;
            left -= taken;
            if (left < 0)
            {
                count = left + taken;
                Skip(taken);
            }

            ahead <<= taken;
            k += move >> 16;
            possible = (byte)(move >> 8) <= most[(k - 1) & 127];
        }

        (buffer, count) = (ahead, left);
        return possible;
    }

    /// <summary>Ends the scan or its interval: what fills the last byte is passed over, whole bytes must not be left.</summary>
    /// <returns>Where the next marker starts.</returns>
    public int End()
    {
        Fill();
        return count < 8 ? position : throw Damage.Because("a scan has more bytes than its part of the image needs");
    }

    private void Fill()
    {
        const ulong Ones = 0x0101010101010101, Tops = 0x8080808080808080;
        if (data.Length - position >= 8)
        {
            ulong next = BinaryPrimitives.ReadUInt64BigEndian(data[position..]), inverted = ~next;
            if (((inverted - Ones) & ~inverted & Tops) == 0)
            {
                // No byte is FF. The bits of a byte that is taken in part are the same when it is taken again.
                int bytes = (64 - count) >> 3;
                buffer |= next >> count;
                position += bytes;
                count += 8 * bytes;
                return;
            }
        }

        for (; count <= 56 && position < data.Length; count += 8)
        {
            byte value = data[position];
            if (value == 0xFF)
            {
                if (position + 1 >= data.Length || data[position + 1] != 0)
                {
                    return;
                }

                position++;
            }

            position++;
            buffer |= (ulong)value << (56 - count);
        }
    }
}
