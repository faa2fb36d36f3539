namespace OwnPatches;

/// <summary>Patches to learn from: a few waves per point, seen twice, each time a little shifted and under another light.</summary>
internal static class Waves
{
    private const int Side = 32, PerPoint = 2;

    /// <summary>[2 x points][32][32] grey values: both patches of the first point, then those of the second, and so on.</summary>
    public static byte[] Draw(int seed, int points)
    {
        var random = new Random(seed);
        var patches = new byte[PerPoint * points * Side * Side];
        for (int patch = 0, at = 0; patch < PerPoint * points; patch++)
        {
            // Both patches of a point have the same waves.
            var ofPoint = new Random((seed * 1_000_003) + (patch / PerPoint));
            double[][] waves = [.. Enumerable.Range(0, 4).Select(_ => (double[])[0.6 * Signed(ofPoint), 0.6 * Signed(ofPoint), 6 * ofPoint.NextDouble()])];
            double left = 2 * Signed(random), up = 2 * Signed(random), across = 60 * Signed(random), down = 60 * Signed(random);
            for (int i = 0; i < Side * Side; i++)
            {
                double x = (i % Side) + left, y = (i / Side) + up;
                double light = ((across * x) + (down * y)) / Side;
                double grey = 128 + light + (20 * waves.Sum(wave => Math.Sin((wave[0] * x) + (wave[1] * y) + wave[2]))) + (12 * Signed(random));
                patches[at++] = (byte)Math.Clamp(grey, 0, 255);
            }
        }

        return patches;
    }

    /// <summary>[2 x points]: the point of each patch.</summary>
    public static int[] PointIds(int points) => [.. Enumerable.Range(0, PerPoint * points).Select(patch => patch / PerPoint)];

    private static double Signed(Random random) => (2 * random.NextDouble()) - 1;
}
