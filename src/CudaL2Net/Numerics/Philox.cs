namespace CudaL2Net.Numerics;

/// <summary>What a random draw is for: draws with different purposes are independent.</summary>
internal enum DrawPurpose : uint
{
    /// <summary>Initial weights.</summary>
    Initialization = 1,

    /// <summary>The order and the pairs of an epoch.</summary>
    Sampling = 2,

    /// <summary>The symmetry that turns a pair.</summary>
    Augmentation = 3,

    /// <summary>Dropout masks.</summary>
    Dropout = 4,

    /// <summary>Procedural scenes.</summary>
    Scene = 5,

    /// <summary>Warps, lighting and detector noise of generated pairs.</summary>
    Pair = 6,

    /// <summary>Evaluation protocols.</summary>
    Evaluation = 7,
}

/// <summary>
/// Philox4x32-10, a counter-based generator (Salmon et al., SC 2011): every draw is a function of (seed, purpose, step, index), the same on every
/// device and in any order.
/// </summary>
internal static class Philox
{
    /// <summary>Four independent uniform 32-bit numbers.</summary>
    public static (uint X, uint Y, uint Z, uint W) Draw(ulong seed, DrawPurpose purpose, uint step, ulong index)
    {
        uint c0 = (uint)index, c1 = (uint)(index >> 32), c2 = step, c3 = (uint)purpose;
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = 0xD2511F53UL * c0, p1 = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>A uniform number in [0, 1) with 24 bits.</summary>
    public static float ToUnit(uint bits) => (bits >> 8) * (1f / 16777216f);
}

/// <summary>A sequence of draws with one (seed, purpose, step), for host code that draws many numbers in order.</summary>
internal struct PhiloxStream(ulong seed, DrawPurpose purpose, uint step)
{
    private ulong index;
    private (uint X, uint Y, uint Z, uint W) block;
    private int used = 4;

    /// <summary>The next uniform 32-bit number.</summary>
    public uint NextUInt()
    {
        if (used == 4)
        {
            block = Philox.Draw(seed, purpose, step, index++);
            used = 0;
        }

        return used++ switch { 0 => block.X, 1 => block.Y, 2 => block.Z, _ => block.W };
    }

    /// <summary>The next uniform number in [0, 1).</summary>
    public float NextSingle() => Philox.ToUnit(NextUInt());

    /// <summary>The next uniform number in [low, high).</summary>
    public float Next(float low, float high) => low + ((high - low) * NextSingle());

    /// <summary>The next uniform integer in [0, bound).</summary>
    public int Next(int bound) => (int)(((ulong)NextUInt() * (uint)bound) >> 32);

    /// <summary>Brings items into a random order, all alike (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>The next normal number with mean 0 and deviation 1 (Box-Muller).</summary>
    public float NextGaussian()
    {
        double u = (NextUInt() + 0.5) / 4294967296.0, v = (NextUInt() + 0.5) / 4294967296.0;
        return (float)(Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v));
    }
}
