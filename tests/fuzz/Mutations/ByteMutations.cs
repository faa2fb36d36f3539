using System.Buffers.Binary;

namespace CudaL2Net.Fuzz.Mutations;

/// <summary>Damage to the bytes of any file.</summary>
internal static class ByteMutations
{
    private static readonly byte[] Extremes = [0, 1, 0x20, 0x7f, 0x80, 0xfe, 0xff];

    private static readonly long[] Sizes =
    [
        0, 1, -1, 2, 255, 256, 32767, 65535, 65536, 1 << 24, int.MaxValue, int.MaxValue - 7, int.MinValue, uint.MaxValue, 1L << 32, 1L << 40, 1L << 62,
        long.MaxValue, long.MinValue,
    ];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Func<byte[], Random, byte[]>> All { get; } =
        [FlipBits, FlipBits, SetBytes, SetBytes, Delete, Double, Insert, Zero, Swap, Cut, Cut, Append, Size, Size, Size];

    /// <summary>A part from the start.</summary>
    public static byte[] Cut(byte[] file, Random random) =>
        random.Next(8) == 0 ? file[..Math.Min(file.Length, random.Next(32))] : file[..random.Next(file.Length + 1)];

    private static byte[] FlipBits(byte[] file, Random random)
    {
        for (int i = random.Next(1, 9); i > 0 && file.Length > 0; i--)
        {
            file[Place(file, random)] ^= (byte)(1 << random.Next(8));
        }

        return file;
    }

    private static byte[] SetBytes(byte[] file, Random random)
    {
        for (int i = random.Next(1, 5); i > 0 && file.Length > 0; i--)
        {
            file[Place(file, random)] = random.Next(2) == 0 ? Extremes[random.Next(Extremes.Length)] : (byte)random.Next(256);
        }

        return file;
    }

    private static byte[] Delete(byte[] file, Random random)
    {
        (int start, int length) = Block(file, random);
        return [.. file.AsSpan(0, start), .. file.AsSpan(start + length)];
    }

    private static byte[] Double(byte[] file, Random random)
    {
        (int start, int length) = Block(file, random);
        return [.. file.AsSpan(0, start + length), .. file.AsSpan(start)];
    }

    private static byte[] Insert(byte[] file, Random random)
    {
        int at = random.Next(file.Length + 1);
        byte[] inserted = new byte[random.Next(1, 65)];
        random.NextBytes(inserted);
        return [.. file.AsSpan(0, at), .. inserted, .. file.AsSpan(at)];
    }

    private static byte[] Zero(byte[] file, Random random)
    {
        (int start, int length) = Block(file, random);
        file.AsSpan(start, length).Fill(random.Next(3) == 0 ? (byte)0xff : (byte)0);
        return file;
    }

    private static byte[] Swap(byte[] file, Random random)
    {
        (int start, int length) = Block(file, random);
        return [.. file.AsSpan(start, length), .. file.AsSpan(0, start), .. file.AsSpan(start + length)];
    }

    private static byte[] Append(byte[] file, Random random)
    {
        byte[] tail = new byte[random.Next(1, 300)];
        random.NextBytes(tail);
        return random.Next(3) == 0 ? [.. file, .. file] : [.. file, .. tail];
    }

    // A number of 2, 4 or 8 bytes of either order becomes huge, negative or 0: mostly in the header.
    private static byte[] Size(byte[] file, Random random)
    {
        int width = 2 << random.Next(3);
        if (file.Length < width)
        {
            return file;
        }

        int at = random.Next(random.Next(4) == 0 ? file.Length - width + 1 : Math.Min(file.Length - width + 1, 128));
        long value = Sizes[random.Next(Sizes.Length)] + (random.Next(4) == 0 ? random.Next(-8, 9) : 0);
        Span<byte> number = stackalloc byte[8];
        if (random.Next(2) == 0)
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, value);
            number[..width].CopyTo(file.AsSpan(at));
        }
        else
        {
            BinaryPrimitives.WriteInt64BigEndian(number, value);
            number[(8 - width)..].CopyTo(file.AsSpan(at));
        }

        return file;
    }

    // Headers are small; they get half of the damage.
    private static int Place(byte[] file, Random random) => random.Next(random.Next(2) == 0 ? Math.Min(file.Length, 256) : file.Length);

    private static (int Start, int Length) Block(byte[] file, Random random)
    {
        int start = random.Next(file.Length + 1);
        int most = file.Length - start;
        return (start, random.Next(3) == 0 ? random.Next(most + 1) : random.Next(Math.Min(most, 64) + 1));
    }
}
