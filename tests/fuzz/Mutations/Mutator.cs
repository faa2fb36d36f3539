namespace CudaL2Net.Fuzz.Mutations;

/// <summary>A damaged file.</summary>
/// <param name="Bytes">The file.</param>
/// <param name="Sample">What it was before.</param>
/// <param name="IsCut">Whether nothing happened but that its end is missing.</param>
/// <param name="IsRepaired">Whether its checksums were made right again.</param>
internal sealed record Damaged(byte[] Bytes, Sample Sample, bool IsCut, bool IsRepaired);

/// <summary>Damages files. The same seed, reader and case give the same bytes.</summary>
internal static class Mutator
{
    public const int Largest = 1 << 20;

    /// <summary>Input number <paramref name="number"/> of a reader. The first ones are its samples as they are.</summary>
    public static Damaged Make(Reader reader, ulong seed, long number)
    {
        if (number < reader.Samples.Count)
        {
            Sample whole = reader.Samples[(int)number];
            return new Damaged(whole.Bytes, whole, IsCut: false, IsRepaired: false);
        }

        var random = new Random(Mix(seed, reader.Name, number));
        Sample sample = reader.Samples[random.Next(reader.Samples.Count)];
        byte[] bytes = [.. sample.Bytes];
        if (random.Next(8) == 0)
        {
            return new Damaged(ByteMutations.Cut(bytes, random), sample, IsCut: true, IsRepaired: false);
        }

        Func<byte[], Random, byte[]>[] own = [.. reader.Content switch
        {
            Content.Lines => LineMutations.All,
            Content.Json => [.. JsonMutations.All, .. LineMutations.All],
            _ => [],
        }];
        for (int left = 1 + (random.Next(2) * random.Next(4)); left > 0; left--)
        {
            IReadOnlyList<Func<byte[], Random, byte[]>> mutations = own.Length > 0 && random.Next(4) > 0 ? own : ByteMutations.All;
            byte[] next = mutations[random.Next(mutations.Count)](bytes, random);

            // What is damaged several times may grow without end, and a large file may take much memory.
            bytes = next.Length <= Largest ? next : bytes;
        }

        bool repair = reader.Repair is not null && random.Next(2) == 0;
        return new Damaged(repair ? reader.Repair!(bytes) : bytes, sample, IsCut: false, repair);
    }

    // FNV-1a, the same on every system and in every process.
    private static int Mix(ulong seed, string name, long number)
    {
        const ulong Offset = 14695981039346656037, Prime = 1099511628211;
        ulong hash = Offset;
        foreach (ulong word in name.Select(letter => (ulong)letter).Append(seed).Append((ulong)number))
        {
            for (int shift = 0; shift < 64; shift += 8)
            {
                hash = (hash ^ ((word >> shift) & 0xff)) * Prime;
            }
        }

        return (int)(hash ^ (hash >> 32));
    }
}
