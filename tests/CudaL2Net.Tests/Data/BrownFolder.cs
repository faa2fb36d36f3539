using CudaL2Net.Tests.Formats;

namespace CudaL2Net.Tests.Data;

/// <summary>Writes a small set in the true format of Brown's PhotoTour data: noise patches, three per point, those of a point alike.</summary>
internal static class BrownFolder
{
    /// <summary>Writes info.txt, the mosaics and a list of as many matches as non-matches; returns the patches, [count][64][64].</summary>
    /// <param name="folder">Where; made if it is not there.</param>
    /// <param name="count">Patches.</param>
    /// <param name="pairs">Pairs, an even number.</param>
    /// <param name="flat">Patches that are uniform.</param>
    /// <param name="bits">Of the mosaics: 8 or 24.</param>
    public static byte[] Write(string folder, int count, int pairs = 20, int[]? flat = null, int bits = 8)
    {
        Directory.CreateDirectory(folder);
        byte[] patches = MakePatches(count, flat ?? []);
        for (int first = 0; first < count; first += 256)
        {
            byte[] mosaic = new byte[1024 * 1024];
            for (int i = first; i < Math.Min(first + 256, count); i++)
            {
                for (int row = 0; row < 64; row++)
                {
                    int y = ((i - first) / 16 * 64) + row, x = (i - first) % 16 * 64;
                    patches.AsSpan(((i * 64) + row) * 64, 64).CopyTo(mosaic.AsSpan((y * 1024) + x));
                }
            }

            File.WriteAllBytes(Path.Combine(folder, $"patches{first / 256:D4}.bmp"), Bmp.Encode(1024, 1024, mosaic, bits, topDown: false));
        }

        File.WriteAllLines(Path.Combine(folder, "info.txt"), Enumerable.Range(0, count).Select(i => $"{PointOf(i)} 0"));
        var random = new Random(2);
        File.WriteAllLines(Path.Combine(folder, "m50_100000_100000_0.txt"), Enumerable.Range(0, pairs).Select(i =>
        {
            int a = random.Next(count / 3) * 3, b = i % 2 == 0 ? a + 1 + random.Next(2) : (a + 3 + random.Next(count - 5)) / 3 * 3 % (count / 3 * 3);
            b = i % 2 == 1 && PointOf(a) == PointOf(b) ? (a + 3) % (count / 3 * 3) : b;
            return $"{a} {PointOf(a)} 0 {b} {PointOf(b)} 0 0";
        }));
        return patches;
    }

    public static int PointOf(int patch) => 100 + (patch / 3);

    private static byte[] MakePatches(int count, int[] flat)
    {
        byte[] patches = new byte[count * 64 * 64];
        for (int i = 0; i < count; i++)
        {
            Span<byte> patch = patches.AsSpan(i * 64 * 64, 64 * 64);
            var shared = new Random(PointOf(i));
            var own = new Random(10_000 + i);
            for (int k = 0; k < patch.Length; k++)
            {
                patch[k] = flat.Contains(i) ? (byte)90 : (byte)(shared.Next(236) + own.Next(20));
            }
        }

        return patches;
    }
}
