using CudaL2Net.Data;

namespace CudaL2Net.Tests.Data;

public sealed class PatchContrastTests
{
    [Test]
    public void TheDeviationDecides()
    {
        // Half of the pixels 100 + 2 a, half 100: the deviation is a sqrt(1024 / 1023), just above a.
        Assert.That(PatchContrast.IsNearUniform(Halves(2)), Is.True);
        Assert.That(PatchContrast.IsNearUniform(Halves(3)), Is.True);
        Assert.That(PatchContrast.IsNearUniform(Halves(4)), Is.False);
        Assert.That(PatchContrast.IsNearUniform(Halves(0)), Is.True);
        Assert.That(PatchContrast.IsNearUniform(Halves(155)), Is.False);
    }

    private static byte[] Halves(int step) => [.. Enumerable.Range(0, 1024).Select(i => (byte)(100 + (i % 2 * step)))];
}
