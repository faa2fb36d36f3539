using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Hamming distances of one query to 128 targets at once. Targets are packed in half bytes, [2 width][128], one in a byte; a table of the 16 distances from the
/// query's half byte stands in a register, and one byte shuffle looks up 32 targets: two instructions for 128 bits, where XOR and a population count of 64 bits
/// at a time need eight. Two queries share what is loaded.
/// </summary>
[SkipLocalsInit]
internal static unsafe class HammingScan
{
    /// <summary>Targets of a packed group.</summary>
    public const int Group = 128;

    // Sums are bytes and stop at 255.
    private const int MaximumWidth = 32;

    // Row v: the distances of v to 0 to 15, twice, since the shuffle looks up 16 bytes in each half of a vector.
    private static readonly byte* Tables = CreateTables();

    /// <summary>Whether descriptors of so many bytes can be compared so.</summary>
    public static bool Fits(int width) => Avx2.IsSupported && width <= MaximumWidth;

    /// <summary>Bytes of a packed group.</summary>
    public static int GroupLength(int width) => 2 * width * Group;

    /// <summary>Packs up to 128 targets; missing ones are zero.</summary>
    public static void Pack(byte* targets, int count, int width, byte* group)
    {
        new Span<byte>(group, GroupLength(width)).Clear();
        for (int target = 0; target < count; target++)
        {
            byte* from = targets + ((nint)target * width), to = group + target;
            for (int i = 0; i < width; i++, to += 2 * Group)
            {
                to[0] = (byte)(from[i] & 15);
                to[Group] = (byte)(from[i] >> 4);
            }
        }
    }

    /// <summary>The half bytes of queries that follow one another, [2 x bytes], for <see cref="Distances"/>.</summary>
    public static void Split(byte* queries, int bytes, byte* halves)
    {
        for (int i = 0; i < bytes; i++)
        {
            halves[2 * i] = (byte)(queries[i] & 15);
            halves[(2 * i) + 1] = (byte)(queries[i] >> 4);
        }
    }

    /// <summary>The distances of two split queries to a group's targets, two rows of 128 bytes; 255 stands for 255 and 256.</summary>
    public static void Distances(byte* first, byte* second, int width, byte* group, byte* distances)
    {
        // Read first: the sums would not stay in registers over the initialization of statics.
        byte* tables = Tables;
        Vector256<byte> a0 = Vector256<byte>.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (byte* end = first + (2 * width); first < end; first++, second++, group += Group)
        {
            Vector256<byte> tableA = Vector256.Load(tables + (32 * *first)), tableB = Vector256.Load(tables + (32 * *second));
            Vector256<byte> target = Vector256.Load(group);
            a0 = Avx2.AddSaturate(a0, Avx2.Shuffle(tableA, target));
            b0 = Avx2.AddSaturate(b0, Avx2.Shuffle(tableB, target));
            target = Vector256.Load(group + 32);
            a1 = Avx2.AddSaturate(a1, Avx2.Shuffle(tableA, target));
            b1 = Avx2.AddSaturate(b1, Avx2.Shuffle(tableB, target));
            target = Vector256.Load(group + 64);
            a2 = Avx2.AddSaturate(a2, Avx2.Shuffle(tableA, target));
            b2 = Avx2.AddSaturate(b2, Avx2.Shuffle(tableB, target));
            target = Vector256.Load(group + 96);
            a3 = Avx2.AddSaturate(a3, Avx2.Shuffle(tableA, target));
            b3 = Avx2.AddSaturate(b3, Avx2.Shuffle(tableB, target));
        }

        a0.Store(distances);
        a1.Store(distances + 32);
        a2.Store(distances + 64);
        a3.Store(distances + 96);
        b0.Store(distances + 128);
        b1.Store(distances + 160);
        b2.Store(distances + 192);
        b3.Store(distances + 224);
    }

    /// <summary>Of the first <paramref name="count"/> of 32 distances a bit for each that is below the threshold, 1 to 255.</summary>
    public static uint Below(byte* distances, int count, int threshold)
    {
        Vector256<byte> d = Vector256.Load(distances);
        uint below = Vector256.Equals(Vector256.Min(d, Vector256.Create((byte)(threshold - 1))), d).ExtractMostSignificantBits();
        return count < 32 ? below & ((1u << count) - 1) : below;
    }

    /// <summary>The distance of two descriptors, from byte <paramref name="from"/> on.</summary>
    public static int Distance(byte* a, byte* b, int from, int width)
    {
        int bits = 0;
        for (; from <= width - 8; from += 8)
        {
            bits += BitOperations.PopCount(*(ulong*)(a + from) ^ *(ulong*)(b + from));
        }

        for (; from < width; from++)
        {
            bits += BitOperations.PopCount((uint)(a[from] ^ b[from]));
        }

        return bits;
    }

    private static byte* CreateTables()
    {
        byte* tables = (byte*)RuntimeHelpers.AllocateTypeAssociatedMemory(typeof(HammingScan), 16 * 32);
        for (int i = 0; i < 16 * 32; i++)
        {
            tables[i] = (byte)int.PopCount((i / 32) ^ (i % 16));
        }

        return tables;
    }
}
