namespace CudaL2Net.Imaging.Files.Jpeg;

/// <summary>One of a JPEG's codes (ITU-T T.81, annex C).</summary>
internal sealed class HuffmanTable
{
    /// <summary>Codes of up to so many bits are found at once.</summary>
    public const int Direct = 10;

    private const int Longest = 16;

    private readonly byte[] symbols;
    private readonly int[] moves = new int[1 << Direct];
    private readonly ushort[] direct = new ushort[1 << Direct];
    private readonly int[] firstCode = new int[Longest + 1], firstIndex = new int[Longest + 1], number = new int[Longest + 1];

    /// <param name="counts">The number of codes of 1 to 16 bits.</param>
    /// <param name="symbols">What they stand for, by rising length.</param>
    public HuffmanTable(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols)
    {
        this.symbols = symbols.ToArray();
        int code = 0, index = 0;
        for (int length = 1; length <= Longest; length++, code <<= 1)
        {
            firstCode[length] = code;
            firstIndex[length] = index;
            number[length] = code + counts[length - 1] <= 1 << length
                ? counts[length - 1]
                : throw Damage.Because("a table of codes has too many short ones");
            for (int i = 0; i < number[length]; i++, code++, index++)
            {
                if (length <= Direct)
                {
                    int start = code << (Direct - length), same = 1 << (Direct - length);
                    direct.AsSpan(start, same).Fill((ushort)((length << 8) | symbols[index]));
                    moves.AsSpan(start, same).Fill(Move(length, symbols[index]));
                }
            }
        }
    }

    /// <summary>The symbol of bits that are all 0, if it has a short code.</summary>
    public int OfZeros => direct[0] & 0xFF;

    /// <summary>For the next <see cref="Direct"/> bits what <see cref="Move"/> gives for their code; 0 if it is longer.</summary>
    public ReadOnlySpan<int> Moves => moves.AsSpan(0, 1 << Direct);

    /// <summary>What a symbol of a sequential scan does: bits that it takes with its value, bits of the value (bits 8 to 15), places it goes on (from bit 16).
    /// </summary>
    public static int Move(int length, int symbol)
    {
        const int Block = 64, TooMany = 16 << 8;
        int size = symbol & 15, run = symbol >> 4;
        return size != 0 ? (length + size) | (size << 8) | ((run + 1) << 16)
            : symbol == 0 ? length | (Block << 16)
            : run == 15 ? length | (16 << 16)
            : length | TooMany | (1 << 16);
    }

    /// <summary>The next symbol. 16 bits at least can be taken after it without another look, if there are as many.</summary>
    public int Next(ref JpegBits bits)
    {
        int ahead = bits.Peek16(), entry = direct[ahead >> (16 - Direct)];
        (int length, int symbol) = entry != 0 ? (entry >> 8, entry & 0xFF) : Find(ahead);
        bits.Skip(length);
        return symbol;
    }

    /// <summary>A code of more than <see cref="Direct"/> bits.</summary>
    /// <param name="ahead">The next 16 bits.</param>
    public (int Length, int Symbol) Find(int ahead)
    {
        for (int length = Direct + 1; length <= Longest; length++)
        {
            int offset = (ahead >> (16 - length)) - firstCode[length];
            if (offset >= 0 && offset < number[length])
            {
                return (length, symbols[firstIndex[length] + offset]);
            }
        }

        throw Damage.Because("a scan has a code that is not in its table");
    }
}
