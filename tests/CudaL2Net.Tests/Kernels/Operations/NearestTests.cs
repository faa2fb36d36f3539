using System.Numerics;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class NearestTests(string device) : OperationTests(device)
{
    [Test]
    public void EuclideanMatchesTheReference([Values(1, 2, 65, 130)] int queries, [Values(1, 2, 31, 33, 500)] int targets, [Values(1, 5, 128)] int width)
    {
        float[] a = Samples.Gaussian(1, queries * width), b = Samples.Gaussian(2, targets * width);
        (int[] indices, float[] distances) = Euclidean(a, b, width);
        for (int i = 0; i < queries; i++)
        {
            double[] all = Enumerable.Range(0, targets).Select(j => PlainDistance(a, b, width, i, j)).ToArray();
            double[] sorted = [.. all.Order(), double.PositiveInfinity];
            for (int rank = 0; rank < 2; rank++)
            {
                int index = indices[(2 * i) + rank];
                if (rank == 1 && targets == 1)
                {
                    Assert.That((index, distances[(2 * i) + 1]), Is.EqualTo((-1, float.PositiveInfinity)));
                    continue;
                }

                // The row that is named has the distance of this rank, up to the rounding of |b|^2 - 2 a.b.
                double scale = 1 + sorted[rank];
                Assert.That((double)distances[(2 * i) + rank], Is.EqualTo(sorted[rank]).Within(1e-5 * scale));
                Assert.That(all[index], Is.EqualTo(sorted[rank]).Within(1e-5 * scale));
            }

            Assert.That(targets == 1 || indices[2 * i] != indices[(2 * i) + 1], Is.True);
        }
    }

    // Up to 8 and 32 neighbours (4 and 16 in float32) the kernels on a GPU begin with a bound from their first tile, beyond with none.
    [Test]
    public void AsManyAsAreAskedForMatchTheReference([Values(1, 3, 8, 9, 32, 33, 70)] int kept, [Values(1, 20, 300)] int targets, [Values(5, 128)] int width)
    {
        const int queries = 67;
        float[] a = Samples.Gaussian(1, queries * width), b = Samples.Gaussian(2, targets * width);
        b.AsSpan(0, targets / 4 * width).CopyTo(b.AsSpan(targets / 2 * width));
        (int[] indices, float[] distances) = Euclidean(a, b, width, kept);
        for (int i = 0; i < queries; i++)
        {
            double[] all = [.. Enumerable.Range(0, targets).Select(j => PlainDistance(a, b, width, i, j))], sorted = [.. all.Order()];
            Span<int> found = indices.AsSpan(i * kept, kept);
            Span<float> measured = distances.AsSpan(i * kept, kept);
            int count = Math.Min(kept, targets);
            Assert.That(found[..count].ToArray(), Is.Unique.And.All.InRange(0, targets - 1));
            Assert.That(found[count..].ToArray(), Is.All.EqualTo(-1));
            Assert.That(measured[count..].ToArray(), Is.All.EqualTo(float.PositiveInfinity));
            for (int rank = 0; rank < count; rank++)
            {
                Assert.That((double)measured[rank], Is.EqualTo(sorted[rank]).Within(1e-5 * sorted[rank]));
                Assert.That((double)measured[rank], Is.EqualTo(all[found[rank]]).Within(1e-5 * sorted[rank]));
                Assert.That(rank == 0 || (measured[rank - 1], found[rank - 1]).CompareTo((measured[rank], found[rank])) < 0, Is.True, "rising, ties too");
            }
        }
    }

    [Test]
    public void AShorterListIsTheBeginningOfALongerOneToTheBit([Values(1, 2, 6, 17)] int kept)
    {
        const int width = 40, longer = 90;
        float[] a = Samples.UnitRows(1, 33, width), b = Samples.UnitRows(2, 301, width);
        (int[] indices, float[] distances) = Euclidean(a, b, width, kept);
        (int[] allIndices, float[] allDistances) = Euclidean(a, b, width, longer);
        for (int i = 0; i < 33; i++)
        {
            Assert.That(indices.AsSpan(i * kept, kept).SequenceEqual(allIndices.AsSpan(i * longer, kept)), Is.True);
            Assert.That(distances.AsSpan(i * kept, kept).SequenceEqual(allDistances.AsSpan(i * longer, kept)), Is.True);
        }
    }

    [Test]
    public void WhatIsNotFiniteIsNobodysNeighbour()
    {
        float[] targets = [float.NaN, 0, 3, 0, float.PositiveInfinity, 0, 1, 0];
        (int[] indices, float[] distances) = Euclidean([1, 0, float.NaN, 1], targets, 2, kept: 3);
        Assert.That(indices, Is.EqualTo(new[] { 3, 1, -1, -1, -1, -1 }));
        Assert.That(distances, Is.EqualTo(new[] { 0, 2, float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity }));
    }

    [Test]
    public void SmallNumbersAreTakenAsWellAsLargeOnes([Values(1e-20f, 1e-12f, 1, 1e15f)] float scale)
    {
        float[] a = [.. Samples.Gaussian(1, 5 * 8).Select(value => value * scale)], b = [.. Samples.Gaussian(2, 200 * 8).Select(value => value * scale)];
        int[] indices = Euclidean(a, b, 8, kept: 3).Indices, plain =
        [
            .. Enumerable.Range(0, 5).SelectMany(i => Enumerable.Range(0, 200).OrderBy(j => PlainDistance(a, b, 8, i, j)).Take(3)),
        ];
        Assert.That(scale < 1e-18f ? indices.Order().First() : 0, Is.Not.Negative);
        if (scale > 1e-18f)
        {
            Assert.That(indices, Is.EqualTo(plain));
        }
    }

    [Test]
    public void AsManyBitsAsAreAskedForMatchTheReference([Values(1, 3, 8, 9, 33, 70)] int kept, [Values(1, 20, 300)] int targets, [Values(3, 16, 32, 41)] int width)
    {
        const int queries = 67;
        byte[] a = Samples.Bytes(1, queries * width), b = Samples.Bytes(2, targets * width);
        int[][] result = Hamming(a, b, width, kept);
        for (int i = 0; i < queries; i++)
        {
            (int Bits, int Index)[] sorted = [.. Enumerable.Range(0, targets).Select(j => (Differing(a, i, b, j, width), j)).Order()];
            IEnumerable<(int Bits, int Index)> expected = sorted.Concat(Enumerable.Repeat((int.MaxValue, -1), kept)).Take(kept);
            Assert.That(Enumerable.Range(i * kept, kept).Select(at => (result[1][at], result[0][at])), Is.EqualTo(expected));
        }
    }

    [Test]
    public void EqualTargetsGoToTheLowerIndexAndARowIsAtDistanceZeroFromItself()
    {
        float[] row = Samples.UnitRows(1, 1, 128), other = Samples.UnitRows(2, 1, 128);
        (int[] indices, float[] distances) = Euclidean(row, [.. other, .. row, .. other, .. row, .. row], 128);
        Assert.That(indices, Is.EqualTo(new[] { 1, 3 }));
        Assert.That(distances, Is.All.Zero);
    }

    [Test]
    public void HammingMatchesTheReference([Values(1, 2, 65)] int queries, [Values(1, 2, 33, 2500)] int targets, [Values(1, 3, 16, 32, 41, 257)] int width)
    {
        byte[] a = Samples.Bytes(1, queries * width), b = Samples.Bytes(2, targets * width);
        int[][] result = Hamming(a, b, width);
        for (int i = 0; i < queries; i++)
        {
            (int Bits, int Index)[] sorted = Enumerable.Range(0, targets)
                .Select(j => (Differing(a, i, b, j, width), j))
                .Append((int.MaxValue, -1)).Order().ToArray();
            Assert.That(result[0][2 * i], Is.EqualTo(sorted[0].Index));
            Assert.That(result[0][(2 * i) + 1], Is.EqualTo(sorted[1].Index));
            Assert.That(result[1][2 * i], Is.EqualTo(sorted[0].Bits));
            Assert.That(result[1][(2 * i) + 1], Is.EqualTo(sorted[1].Bits));
        }
    }

    [Test]
    public void HammingTellsTheLargestDistancesApartAndEqualTargetsGoToTheLowerIndex()
    {
        // Of 256 bits: one differs in all, one in 255, and from target 200 on all differ in 254; target 300 and 301 are the query itself.
        byte[] query = Samples.Bytes(1, 32), opposite = [.. query.Select(value => (byte)~value)], almost = [.. opposite], near = [.. opposite];
        almost[31] ^= 128;
        near[0] ^= 3;
        byte[] far = [.. opposite, .. almost, .. Enumerable.Repeat(opposite, 198).SelectMany(row => row)];
        Assert.That(Hamming(query, far, 32), Is.EqualTo(new[] { new[] { 1, 0 }, [255, 256] }));
        byte[] nearer = [.. far, .. Enumerable.Repeat(near, 100).SelectMany(row => row)];
        Assert.That(Hamming(query, nearer, 32), Is.EqualTo(new[] { new[] { 200, 201 }, [254, 254] }));
        Assert.That(Hamming(query, [.. nearer, .. query, .. query, .. query], 32), Is.EqualTo(new[] { new[] { 300, 301 }, [0, 0] }));
    }

    [Test]
    public void EqualBitsGoToTheLowerIndex()
    {
        byte[] row = Samples.Bytes(1, 32);
        int[][] result = Hamming([.. Enumerable.Repeat(row, 20).SelectMany(bits => bits)], [.. Enumerable.Repeat(row, 150).SelectMany(bits => bits)], 32);
        Assert.That(result[0], Is.EqualTo(Enumerable.Range(0, 40).Select(i => i % 2)));
        Assert.That(result[1], Is.All.Zero);
    }

    private static double PlainDistance(float[] a, float[] b, int width, int i, int j) =>
        Math.Sqrt(Enumerable.Range(0, width).Sum(k => Math.Pow((double)a[(i * width) + k] - b[(j * width) + k], 2)));

    private static int Differing(byte[] a, int i, byte[] b, int j, int width) =>
        Enumerable.Range(0, width).Sum(k => BitOperations.PopCount((uint)(a[(i * width) + k] ^ b[(j * width) + k])));

    private (int[] Indices, float[] Distances) Euclidean(float[] a, float[] b, int width, int kept = 2)
    {
        int[] indices = [];
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> queries = device.Upload<float>(a, a.Length / width, width), targets = device.Upload<float>(b, b.Length / width, width);
            using Tensor<int> nearest = device.Allocate<int>(a.Length / width, kept);
            Tensor<float> distance = device.Allocate<float>(a.Length / width, kept);
            using SearchTargets<float> prepared = device.Kernels.Prepare(targets);
            device.Kernels.NearestEuclidean(queries, prepared, nearest, distance);
            indices = nearest.ToArray();
            return [distance];
        });
        return (indices, result[0]);
    }

    private int[][] Hamming(byte[] a, byte[] b, int width, int kept = 2)
    {
        using Device device = Open();
        using Tensor<byte> queries = device.Upload<byte>(a, a.Length / width, width), targets = device.Upload<byte>(b, b.Length / width, width);
        using Tensor<int> nearest = device.Allocate<int>(a.Length / width, kept), distance = device.Allocate<int>(a.Length / width, kept);
        using SearchTargets<byte> prepared = device.Kernels.Prepare(targets);
        device.Kernels.NearestHamming(queries, prepared, nearest, distance);
        return [nearest.ToArray(), distance.ToArray()];
    }
}
