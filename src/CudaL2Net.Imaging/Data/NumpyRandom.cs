namespace CudaL2Net.Imaging.Data;

/// <summary>
/// The random numbers of NumPy's <c>np.random.seed(seed)</c>: the Mersenne Twister (Matsumoto and Nishimura, 1998), whole numbers drawn by masking and
/// rejection. HPatches' lists of pairs are drawn with it, so they can be drawn again.
/// </summary>
internal sealed class NumpyRandom
{
    private const int Length = 624;
    private const int Middle = 397;

    private readonly uint[] state = new uint[Length];
    private int position = Length;

    public NumpyRandom(uint seed)
    {
        state[0] = seed;
        for (int i = 1; i < Length; i++)
        {
            state[i] = (1812433253 * (state[i - 1] ^ (state[i - 1] >> 30))) + (uint)i;
        }
    }

    /// <summary>The next 32 bits.</summary>
    public uint NextUInt()
    {
        if (position == Length)
        {
            Twist();
        }

        uint y = state[position++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    /// <summary>0 to <paramref name="largest"/>: <c>randint(largest + 1)</c>, and the index that <c>choice</c> with replacement takes.</summary>
    public int UpTo(int largest)
    {
        if (largest == 0)
        {
            return 0;
        }

        uint mask = uint.MaxValue >> System.Numerics.BitOperations.LeadingZeroCount((uint)largest), value;
        do
        {
            value = NextUInt() & mask;
        }
        while (value > largest);

        return (int)value;
    }

    /// <summary>The first two of a permutation of 0 to count - 1: <c>choice(count, 2, replace=False)</c>.</summary>
    /// <param name="items">Room for count numbers, count at least 2; overwritten.</param>
    public (int First, int Second) TwoOf(Span<int> items)
    {
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = i;
        }

        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = UpTo(i);
            (items[i], items[j]) = (items[j], items[i]);
        }

        return (items[0], items[1]);
    }

    private void Twist()
    {
        for (int i = 0; i < Length; i++)
        {
            uint y = (state[i] & 0x80000000) | (state[(i + 1) % Length] & 0x7fffffff);
            state[i] = state[(i + Middle) % Length] ^ (y >> 1) ^ ((y & 1) != 0 ? 0x9908b0df : 0);
        }

        position = 0;
    }
}
