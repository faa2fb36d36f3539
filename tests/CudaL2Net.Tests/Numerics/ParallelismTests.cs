using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Numerics;

public sealed class ParallelismTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void NoMoreThreadsWorkAtOnceThanAreAllowed(int threads)
    {
        int inside = 0, most = 0;
        var done = new int[60];
        new Parallelism(threads).For(done.Length, i =>
        {
            int now = Interlocked.Increment(ref inside);
            InterlockedMax(ref most, now);
            Thread.Sleep(1);
            done[i]++;
            Interlocked.Decrement(ref inside);
        });
        Assert.That(done, Has.All.EqualTo(1));
        Assert.That(most, Is.LessThanOrEqualTo(threads));
    }

    [Test]
    public void OneThreadIsTheCallerAndItsOrderRises()
    {
        var order = new List<(int Index, int Thread)>();
        new Parallelism(1).For(5, i => order.Add((i, Environment.CurrentManagedThreadId)));
        Assert.That(order, Is.EqualTo(Enumerable.Range(0, 5).Select(i => (i, Environment.CurrentManagedThreadId))));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void WhatEachThreadHasIsTakenOnce(int threads)
    {
        long sum = 0;
        new Parallelism(threads).For(1000, () => new long[1], (i, own) => own[0] += i, own => Interlocked.Add(ref sum, own[0]));
        Assert.That(sum, Is.EqualTo(499_500));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void AnExceptionIsPassedOnAsItIs(int threads) =>
        Assert.That(() => new Parallelism(threads).For(10, i => throw new IOException("broken")), Throws.TypeOf<IOException>());

    [Test]
    public void ZeroIsOnePerCoreAndLessIsRefused()
    {
        Assert.That(new Parallelism(0).Threads, Is.EqualTo(Environment.ProcessorCount));
        Assert.That(() => new Parallelism(-1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static void InterlockedMax(ref int most, int value)
    {
        int before;
        while ((before = Volatile.Read(ref most)) < value && Interlocked.CompareExchange(ref most, value, before) != before)
        {
        }
    }
}
