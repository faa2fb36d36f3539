using CudaL2Net.Matching;
using CudaL2Net.Numerics;
using CudaL2Net.Pipelines.Colmap;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>The bytes that COLMAP's matchers read.</summary>
public sealed class ColmapDescriptorsTests
{
    private const int Dimension = ColmapDescriptors.Dimension;

    [Test]
    public void RootSiftIsRounded()
    {
        float[] values = Unit(1, signed: false);
        byte[] bytes = ColmapDescriptors.ToBytes(DescriptorSet.FromValues(values, Dimension), signed: false);
        Assert.That(bytes, Is.EqualTo(values.Select(value => (byte)Math.Min(255, Math.Round(512 * (double)value)))));
    }

    [Test]
    public void SignedValuesBecomeAVectorOfLength512()
    {
        byte[] bytes = ColmapDescriptors.ToBytes(DescriptorSet.FromValues([.. Unit(1, signed: true), .. Unit(2, signed: true)], Dimension), signed: true);
        for (int row = 0; row < 2; row++)
        {
            Assert.That(Math.Sqrt(bytes.Skip(row * Dimension).Take(Dimension).Sum(value => value * value)), Is.EqualTo(512).Within(2));
        }
    }

    // COLMAP compares angles, the tool distances: both must find the same descriptor nearest, and find it nearer than a second by about the same factor.
    [Test]
    public void AnglesKeepTheOrderOfDistances()
    {
        float[] query = Unit(1, signed: true);
        float[][] targets = [.. Enumerable.Range(1, 8).Select(i => Mixed(query, Unit((ulong)(10 + i), signed: true), 0.1f * i))];
        byte[] bytes = ColmapDescriptors.ToBytes(DescriptorSet.FromValues([.. query, .. targets.SelectMany(row => row)], Dimension), signed: true);
        double[] angles = [.. Enumerable.Range(1, 8).Select(i => Math.Acos(Enumerable.Range(0, Dimension).Sum(k => bytes[k] * bytes[(i * Dimension) + k]) / (512.0 * 512)))];
        double[] distances = [.. targets.Select(row => Math.Sqrt(row.Zip(query, (a, b) => (a - b) * (a - b)).Sum()))];
        Assert.That(angles, Is.Ordered);
        Assert.That(angles[0] / angles[7], Is.EqualTo(distances[0] / distances[7]).Within(0.1));
    }

    private static float[] Mixed(float[] a, float[] b, float part)
    {
        float[] mixed = [.. a.Zip(b, (x, y) => x + (part * (y - x)))];
        float norm = MathF.Sqrt(mixed.Sum(value => value * value));
        return [.. mixed.Select(value => value / norm)];
    }

    private static float[] Unit(ulong seed, bool signed)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Evaluation, 0);
        float[] values = new float[Dimension];
        for (int i = 0; i < Dimension; i++)
        {
            values[i] = draws.Next(1000) - (signed ? 499.5f : 0);
        }

        float norm = MathF.Sqrt(values.Sum(value => value * value));
        return [.. values.Select(value => value / norm)];
    }
}
