using System.Numerics;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class WithinTests(string device) : OperationTests(device)
{
    // What is within a radius is what a list of all targets has up to it: the distances are the same to the bit.
    [Test]
    public void FloatsAreThoseOfAListOfAllUpToTheRadius([Values(1, 65, 130)] int queries, [Values(1, 33, 300)] int targets, [Values(1, 5, 128)] int width)
    {
        float[] a = Samples.Gaussian(1, queries * width), b = Samples.Gaussian(2, targets * width);
        using Device opened = Open();
        (int Query, int Target, float Distance)[] all = All(opened, a, b, width);
        Assert.That(all, Has.Length.EqualTo(queries * targets));
        foreach ((int i, int j, float distance) in all)
        {
            double plain = Math.Sqrt(Enumerable.Range(0, width).Sum(k => Math.Pow((double)a[(i * width) + k] - b[(j * width) + k], 2)));
            Assert.That((double)distance, Is.EqualTo(plain).Within(1e-5 * plain));
        }

        float[] sorted = [.. all.Select(pair => pair.Distance).Order()];
        foreach (float radius in new[] { 0, sorted[0], sorted[sorted.Length / 3], sorted[^1], float.MaxValue, float.PositiveInfinity })
        {
            Assert.That(Floats(opened, a, b, width, radius, all.Length + 5), Is.EqualTo(all.Where(pair => pair.Distance <= radius)), $"radius {radius}");
        }
    }

    [Test]
    public void TheRadiusItselfIsIncludedAndADescriptorIsWithin0OfItself([Values(0f, -0f)] float radius)
    {
        float[] rows = [.. Samples.UnitRows(1, 150, 128), .. Samples.UnitRows(1, 3, 128)];
        using Device opened = Open();
        Assert.That(
            Floats(opened, rows, rows, 128, radius, 1000).Select(pair => (pair.Query, pair.Target)),
            Is.EqualTo(Enumerable.Range(0, 153).SelectMany(i => i is < 3 or >= 150 ? new[] { (i, i % 150), (i, (i % 150) + 150) } : [(i, i)])));
        Assert.That(Floats(opened, [0, 0], [3, 4, 3, 4.000001f, -3, -4], 2, 5, 10), Is.EqualTo(new[] { (0, 0, 5f), (0, 2, 5f) }));
        Assert.That(Floats(opened, [0, 1], [0, 1, 0], 1, 0, 10), Is.EqualTo(new[] { (0, 0, 0f), (0, 2, 0f), (1, 1, 0f) }));
    }

    [Test]
    public void WhatIsNotFiniteIsNotWithinInfinity()
    {
        using Device opened = Open();
        Assert.That(
            Floats(opened, [1, float.NaN, float.NegativeInfinity], [2, float.NaN, float.PositiveInfinity], 1, float.PositiveInfinity, 20),
            Is.EqualTo(new[] { (0, 0, 1f) }));
    }

    [Test]
    public void BitsMatchTheReference([Values(1, 65)] int queries, [Values(1, 33, 300)] int targets, [Values(1, 3, 16, 32, 41)] int width)
    {
        byte[] a = Samples.Bytes(1, queries * width), b = Samples.Bytes(2, targets * width);
        using Device opened = Open();
        foreach (int radius in new[] { 0, 3, 4 * width, (4 * width) + 2, (8 * width) - 1, 8 * width, 254, 255, 256 })
        {
            (int, int, float)[] plain =
            [
                .. from i in Enumerable.Range(0, queries)
                   from j in Enumerable.Range(0, targets)
                   let distance = Enumerable.Range(0, width).Sum(k => BitOperations.PopCount((uint)(a[(i * width) + k] ^ b[(j * width) + k])))
                   where distance <= radius
                   select (i, j, (float)distance),
            ];
            Assert.That(Bits(opened, a, b, width, radius, queries * targets), Is.EqualTo(plain), $"radius {radius}");
        }
    }

    [Test]
    public void WhatThereIsNoRoomForIsCounted([Values(1, 128)] int capacity)
    {
        float[] rows = Samples.UnitRows(1, 70, 16);
        byte[] bits = Samples.Bytes(1, 70 * 4);
        using Device opened = Open();
        using Tensor<float> floats = opened.Upload<float>(rows, 70, 16);
        using Tensor<byte> bytes = opened.Upload<byte>(bits, 70, 4);
        using SearchTargets<float> floatTargets = opened.Kernels.Prepare(floats);
        using SearchTargets<byte> bitTargets = opened.Kernels.Prepare(bytes);
        (FoundNeighbor[] found, long total) = Run(opened, capacity, (room, number) => opened.Kernels.WithinEuclidean(floats, floatTargets, 5, room, number));
        (FoundNeighbor[] foundBits, long totalBits) = Run(opened, capacity, (room, number) => opened.Kernels.WithinHamming(bytes, bitTargets, 32, room, number));
        Assert.That((total, totalBits), Is.EqualTo((4900L, 4900L)));
        Assert.That(found.Select(pair => (pair.Query, pair.Target)), Is.Unique);
        Assert.That(foundBits.Select(pair => (pair.Query, pair.Target)), Is.Unique);
    }

    private static (int Query, int Target, float Distance)[] All(Device device, float[] a, float[] b, int width)
    {
        int n = a.Length / width, m = b.Length / width;
        using Tensor<float> queries = device.Upload<float>(a, n, width), targets = device.Upload<float>(b, m, width), distance = device.Allocate<float>(n, m);
        using Tensor<int> nearest = device.Allocate<int>(n, m);
        using SearchTargets<float> prepared = device.Kernels.Prepare(targets);
        device.Kernels.NearestEuclidean(queries, prepared, nearest, distance);
        int[] indices = nearest.ToArray();
        float[] distances = distance.ToArray();
        return [.. Enumerable.Range(0, n * m).Select(at => (at / m, indices[at], distances[at])).Order()];
    }

    private static (int Query, int Target, float Distance)[] Floats(Device device, float[] a, float[] b, int width, float radius, int capacity)
    {
        using Tensor<float> queries = device.Upload<float>(a, a.Length / width, width), targets = device.Upload<float>(b, b.Length / width, width);
        using SearchTargets<float> prepared = device.Kernels.Prepare(targets);
        return Sorted(Run(device, capacity, (room, number) => device.Kernels.WithinEuclidean(queries, prepared, radius, room, number)));
    }

    private static (int Query, int Target, float Distance)[] Bits(Device device, byte[] a, byte[] b, int width, int radius, int capacity)
    {
        using Tensor<byte> queries = device.Upload<byte>(a, a.Length / width, width), targets = device.Upload<byte>(b, b.Length / width, width);
        using SearchTargets<byte> prepared = device.Kernels.Prepare(targets);
        return Sorted(Run(device, capacity, (room, number) => device.Kernels.WithinHamming(queries, prepared, radius, room, number)));
    }

    private static (int Query, int Target, float Distance)[] Sorted((FoundNeighbor[] Found, long Total) result)
    {
        Assert.That(result.Total, Is.EqualTo(result.Found.Length));
        return [.. result.Found.Select(pair => (pair.Query, pair.Target, pair.Distance)).Order()];
    }

    private static (FoundNeighbor[] Found, long Total) Run(Device device, int capacity, Action<Tensor<FoundNeighbor>, Tensor<long>> search)
    {
        using Tensor<FoundNeighbor> found = device.Allocate<FoundNeighbor>(capacity);
        using Tensor<long> total = device.Allocate<long>(1);
        search(found, total);
        long number = total.ToArray()[0];
        return (found.Rows(0, (int)Math.Min(number, capacity)).ToArray(), number);
    }
}
