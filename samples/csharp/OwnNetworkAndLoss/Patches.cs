namespace OwnNetworkAndLoss;

/// <summary>Patches to learn from: two faint waves per pair, seen twice, each time under a strong light of its own.</summary>
internal static class Patches
{
    /// <summary>[2 x pairs][16][16][1]: the first patches, then the second ones of the same pairs.</summary>
    public static float[] Batch(Random random, int pairs)
    {
        const int Area = SmallNetwork.Side * SmallNetwork.Side;
        var batch = new float[2 * pairs * Area];
        for (int pair = 0; pair < pairs; pair++)
        {
            double[] wave = [.. Enumerable.Range(0, 6).Select(_ => (2 * random.NextDouble()) - 1)];
            for (int side = 0; side < 2; side++)
            {
                double across = 6 * (random.NextDouble() - 0.5), down = 6 * (random.NextDouble() - 0.5);
                for (int i = 0; i < Area; i++)
                {
                    double x = i % SmallNetwork.Side, y = i / SmallNetwork.Side;
                    double waves = Math.Sin((wave[0] * x) + (wave[1] * y) + (3 * wave[2])) + Math.Sin((wave[3] * x) + (wave[4] * y) + (3 * wave[5]));
                    double light = ((across * x) + (down * y)) / SmallNetwork.Side;
                    batch[(((side * pairs) + pair) * Area) + i] = (float)((0.5 * waves) + light + (0.3 * (random.NextDouble() - 0.5)));
                }
            }
        }

        return batch;
    }
}
