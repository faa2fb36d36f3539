namespace CudaL2Net.Tests.Reference;

/// <summary>Comparison of float32 results with the double reference.</summary>
internal static class Closeness
{
    /// <summary>Asserts that no element is off by more than <paramref name="tolerance"/> times the largest expected magnitude.</summary>
    public static void AssertClose(float[] actual, double[] expected, double tolerance = 1e-5)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        double scale = expected.Length == 0 ? 0 : expected.Max(Math.Abs);
        double limit = (tolerance * scale) + 1e-30;
        AssertWithin(actual, expected, _ => limit);
    }

    /// <summary>Asserts that element i is off by at most <paramref name="limit"/>(i), for every i.</summary>
    public static void AssertWithin(float[] actual, double[] expected, Func<int, double> limit)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            // NUnit is asked only about what is off, or no number: one constraint per element took longer than the kernels.
            if (!(Math.Abs(actual[i] - expected[i]) <= limit(i)))
            {
                Assert.That((double)actual[i], Is.EqualTo(expected[i]).Within(limit(i)), $"element {i} of {actual.Length}");
            }
        }
    }
}
