namespace CudaL2Net.Tests.Reference;

/// <summary>Comparison of float32 results with the double reference.</summary>
internal static class Closeness
{
    /// <summary>Asserts that no element is off by more than <paramref name="tolerance"/> times the largest expected magnitude.</summary>
    public static void AssertClose(float[] actual, double[] expected, double tolerance = 1e-5)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        double scale = expected.Length == 0 ? 0 : expected.Max(Math.Abs);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.That((double)actual[i], Is.EqualTo(expected[i]).Within((tolerance * scale) + 1e-30),
                $"element {i} of {actual.Length}, largest magnitude {scale}");
        }
    }
}
