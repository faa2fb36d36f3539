using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>On CUDA products of float32 or of bf16 only choose which targets are measured; what comes out must be the exact float32 answer with both.</summary>
[Category("Cuda")]
public sealed class NearestFilterTests
{
    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [Test]
    public void EitherPrecisionFindsTheExactAnswerAmongNearDuplicates([Values(24, 33, 128, 130)] int width, [Values(2, 7, 20)] int kept)
    {
        // Targets crowd around the queries at distances that differ by less than what bf16 tells apart, some of them twice: 17 spans of 2,048 would be
        // too slow to emulate, so it is two.
        const int queries = 37, targets = 2300;
        float[] a = Samples.UnitRows(1, queries, width), noise = Samples.Gaussian(2, targets * width), b = new float[targets * width];
        for (int j = 0; j < targets; j++)
        {
            for (int k = 0; k < width; k++)
            {
                b[(j * width) + k] = a[(j % queries * width) + k] + (1e-3f * noise[((j / 74 * 74) * width) + k]);
            }
        }

        (int[] indices, float[] distances) = Run(a, b, width, long.MaxValue, kept);
        (int[] indicesBf16, float[] distancesBf16) = Run(a, b, width, 0, kept);
        Assert.That(indicesBf16, Is.EqualTo(indices));
        Assert.That(distancesBf16, Is.EqualTo(distances));
        for (int i = 0; i < queries; i++)
        {
            double[] all = Enumerable.Range(0, targets).Select(j => Distance(a, b, width, i, j)).ToArray();
            double[] sorted = [.. all.Order().Take(kept)];
            for (int rank = 0; rank < kept; rank++)
            {
                int at = (kept * i) + rank;
                Assert.That((double)distances[at], Is.EqualTo(sorted[rank]).Within(1e-6 * sorted[rank]));
                Assert.That(all[indices[at]], Is.EqualTo(sorted[rank]).Within(1e-6 * sorted[rank]));
                Assert.That(rank == 0 || distances[at - 1] < distances[at] || (distances[at - 1] == distances[at] && indices[at - 1] < indices[at]), Is.True,
                    "ties go to the lower index");
            }
        }
    }

    [Test]
    public void MoreCandidatesThanTheQueueHoldsAreAllMeasured([Values(0, long.MaxValue)] long tensorCoreMatches)
    {
        // All distances are equal: none can be left out.
        const int queries = 129, targets = 140, width = 8;
        float[] a = Samples.UnitRows(1, 1, width), b = Samples.UnitRows(2, 1, width);
        (int[] indices, float[] distances) = Run(
            [.. Enumerable.Repeat(a, queries).SelectMany(row => row)], [.. Enumerable.Repeat(b, targets).SelectMany(row => row)], width, tensorCoreMatches);
        Assert.That(indices, Is.EqualTo(Enumerable.Range(0, 2 * queries).Select(i => i % 2)));
        Assert.That(distances, Is.All.EqualTo(distances[0]).And.All.EqualTo(Distance(a, b, width, 0, 0)).Within(1e-6));
    }

    [Test]
    public void WhatIsNotANumberIsNobodysNeighbour([Values(0, long.MaxValue)] long tensorCoreMatches)
    {
        float[] a = Samples.UnitRows(1, 3, 16), b = Samples.UnitRows(2, 5, 16);
        a[16] = float.NaN;
        b[32] = float.NaN;
        (int[] indices, float[] distances) = Run(a, b, 16, tensorCoreMatches);
        Assert.That(indices.AsSpan(2, 2).ToArray(), Is.All.EqualTo(-1));
        Assert.That(distances.AsSpan(2, 2).ToArray(), Is.All.EqualTo(float.PositiveInfinity));
        Assert.That((int[])[indices[0], indices[1], indices[4], indices[5]], Is.All.InRange(0, 4).And.None.EqualTo(2));
    }

    [Test]
    public void EitherPrecisionFindsTheSameWithinARadius([Values(24, 33, 130)] int width)
    {
        const int queries = 37, targets = 2300;
        float[] a = Samples.UnitRows(1, queries, width), noise = Samples.Gaussian(2, targets * width);
        float[] b = [.. noise.Select((value, i) => a[i % a.Length] + (1e-3f * value))];
        (int[] indices, float[] distances) = Run(a, b, width, long.MaxValue, targets);
        float[] sorted = [.. distances.Order()];
        foreach (float radius in new[] { sorted[0], sorted[1000], sorted[3000], 1f })
        {
            FoundNeighbor[] expected =
            [
                .. indices.Select((target, at) => new FoundNeighbor { Query = at / targets, Target = target, Distance = distances[at] })
                    .Where(pair => pair.Distance <= radius).OrderBy(pair => (pair.Query, pair.Target)),
            ];
            Assert.That(Within(a, b, width, radius, long.MaxValue, expected.Length), Is.EqualTo(expected));
            Assert.That(Within(a, b, width, radius, 0, expected.Length), Is.EqualTo(expected));
        }
    }

    private static IEnumerable<FoundNeighbor> Within(float[] a, float[] b, int width, float radius, long tensorCoreMatches, int expected)
    {
        using var device = new CudaDevice(0) { TensorCoreMatches = tensorCoreMatches };
        using Tensor<float> queries = device.Upload<float>(a, a.Length / width, width), targets = device.Upload<float>(b, b.Length / width, width);
        using Tensor<FoundNeighbor> found = device.Allocate<FoundNeighbor>(expected);
        using Tensor<long> total = device.Allocate<long>(1);
        using SearchTargets<float> prepared = device.Prepare(targets);
        device.WithinEuclidean(queries, prepared, radius, found, total);
        Assert.That(total.ToArray()[0], Is.EqualTo(expected));
        return found.ToArray().OrderBy(pair => (pair.Query, pair.Target));
    }

    private static double Distance(float[] a, float[] b, int width, int i, int j)
    {
        double sum = 0;
        for (int k = 0; k < width; k++)
        {
            double d = (double)a[(i * width) + k] - b[(j * width) + k];
            sum += d * d;
        }

        return Math.Sqrt(sum);
    }

    private static (int[] Indices, float[] Distances) Run(float[] a, float[] b, int width, long tensorCoreMatches, int kept = 2)
    {
        using var device = new CudaDevice(0) { TensorCoreMatches = tensorCoreMatches };
        using Tensor<float> queries = device.Upload<float>(a, a.Length / width, width), targets = device.Upload<float>(b, b.Length / width, width);
        using Tensor<int> nearest = device.Allocate<int>(a.Length / width, kept);
        using Tensor<float> distance = device.Allocate<float>(a.Length / width, kept);
        using SearchTargets<float> prepared = device.Prepare(targets);
        device.NearestEuclidean(queries, prepared, nearest, distance);
        return (nearest.ToArray(), distance.ToArray());
    }
}
