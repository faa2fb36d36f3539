using System.Numerics;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Matching;

public sealed class DescriptorSearchTests(string deviceName) : OperationTests(deviceName)
{
    private Device device = null!;
    private DescriptorSearch search = null!;

    [OneTimeSetUp]
    public void OpenDevice()
    {
        device = Open();
        search = new DescriptorSearch(device);
    }

    [OneTimeTearDown]
    public void CloseDevice() => device?.Dispose();

    [Test]
    public void FloatNeighboursEqualAPlainSearch([Values(1, 33, 130)] int n, [Values(1, 2, 97)] int m)
    {
        const int D = 128;
        DescriptorSet queries = DescriptorSet.FromValues(RandomFloats(n * D, 1), D), targets = DescriptorSet.FromValues(RandomFloats(m * D, 2), D);
        DescriptorMatch[] found = search.Nearest(queries, targets);
        Assert.That(found, Has.Length.EqualTo(n));
        for (int i = 0; i < n; i++)
        {
            (double Distance, int Index)[] plain =
                [.. Enumerable.Range(0, m).Select(j => (Distance(queries.Values.AsSpan(i * D, D), targets.Values.AsSpan(j * D, D)), j)).Order()];
            Assert.That((found[i].Query, found[i].Target), Is.EqualTo((i, plain[0].Index)));
            Assert.That(found[i].Distance, Is.EqualTo(plain[0].Distance).Within(1e-4));
            Assert.That(found[i].SecondDistance, m == 1 ? Is.EqualTo(float.PositiveInfinity) : Is.EqualTo(plain[1 % m].Distance).Within(1e-4));
            Assert.That(queries.Distance(i, targets, plain[0].Index), Is.EqualTo(plain[0].Distance).Within(1e-4));
        }
    }

    [Test]
    public void BinaryNeighboursEqualAPlainSearch([Values(1, 33)] int n, [Values(1, 2, 97)] int m)
    {
        const int Bytes = 16;
        var random = new PhiloxStream(5, DrawPurpose.Evaluation, 3);
        byte[] queries = new byte[n * Bytes], targets = new byte[m * Bytes];
        foreach (byte[] bits in new[] { queries, targets })
        {
            for (int i = 0; i < bits.Length; i++)
            {
                bits[i] = (byte)random.Next(4);
            }
        }

        DescriptorSet from = DescriptorSet.FromBits(queries, 8 * Bytes), to = DescriptorSet.FromBits(targets, 8 * Bytes);
        DescriptorMatch[] found = search.Nearest(from, to);
        for (int i = 0; i < n; i++)
        {
            (int Distance, int Index)[] plain = [.. Enumerable.Range(0, m).Select(j => (Differing(i, j), j)).Order()];
            Assert.That(found[i], Is.EqualTo(new DescriptorMatch(i, plain[0].Index, plain[0].Distance, m == 1 ? float.PositiveInfinity : plain[1].Distance)));
            Assert.That(from.Distance(i, to, plain[0].Index), Is.EqualTo(plain[0].Distance));
        }

        int Differing(int i, int j) => Enumerable.Range(0, Bytes).Sum(k => BitOperations.PopCount((uint)(queries[(i * Bytes) + k] ^ targets[(j * Bytes) + k])));
    }

    // On a line: queries 0, 1.25, 10; targets 1, 10.5, 11.5. Query 0's nearest is 1, whose own nearest is 1.25, so only 1.25 -> 1 and 10 -> 10.5 are mutual.
    // 10 -> 10.5 has the second distance 1.5: ratio 1/3. 1.25 -> 1: 0.25 / 9.25. 0 -> 1: 1 / 10.5.
    [TestCase(false, 1, new[] { 0, 1, 2 })]
    [TestCase(true, 1, new[] { 1, 2 })]
    [TestCase(false, 0.3, new[] { 0, 1 })]
    [TestCase(true, 0.3, new[] { 1 })]
    public void MutualAndRatioTestsKeepWhatTheySay(bool mutual, double ratio, int[] kept)
    {
        DescriptorSet queries = DescriptorSet.FromValues([0, 1.25f, 10], 1), targets = DescriptorSet.FromValues([1, 10.5f, 11.5f], 1);
        Assert.That(search.Match(queries, targets, new MatchOptions(mutual, ratio)).Select(match => match.Query), Is.EqualTo(kept));
    }

    [Test]
    public void NothingToMatchGivesNothing()
    {
        Assert.That(search.Nearest(DescriptorSet.FromValues(new float[4], 2), DescriptorSet.FromValues([], 2)), Is.Empty);
        Assert.That(search.Match(DescriptorSet.FromBits([], 16), DescriptorSet.FromBits(new byte[4], 16), new MatchOptions(true, 0.8)), Is.Empty);
    }

    [Test]
    public void RefusesWhatDoesNotFit()
    {
        DescriptorSet values = DescriptorSet.FromValues(new float[16], 8);
        Assert.That(() => DescriptorSet.FromValues(new float[5], 2), Throws.ArgumentException);
        Assert.That(() => DescriptorSet.FromBits(new byte[6], 12), Throws.ArgumentException.With.Message.Contains("12"));
        Assert.That(() => search.Nearest(values, DescriptorSet.FromBits(new byte[2], 8)), Throws.ArgumentException.With.Message.Contains("binary"));
        Assert.That(() => search.Nearest(values, DescriptorSet.FromValues(new float[4], 4)), Throws.ArgumentException);
        Assert.That(() => search.Match(values, values, new MatchOptions(false, 0)), Throws.ArgumentException.With.Message.Contains("ratio"));
    }

    private static float[] RandomFloats(int count, uint step)
    {
        var random = new PhiloxStream(5, DrawPurpose.Evaluation, step);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = random.NextGaussian();
        }

        return values;
    }

    private static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        }

        return Math.Sqrt(sum);
    }
}
