using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Work ahead of the one who takes the results.</summary>
public sealed class LookAheadTests
{
    private sealed class Owned(Action gone) : IDisposable
    {
        public void Dispose() => gone();
    }

    [Test]
    public void ResultsKeepTheOrderAndTheirNumberIsBounded()
    {
        int started = 0, taken = 0, most = 0;
        int[] results = new int[50];
        foreach (int result in LookAhead.Run(Enumerable.Range(0, 50), 4, i =>
        {
            int waiting = Interlocked.Increment(ref started) - Volatile.Read(ref taken);
            lock (results)
            {
                most = Math.Max(most, waiting);
            }

            Thread.SpinWait(1000 * (i % 7));
            return i;
        }, default))
        {
            results[taken] = result;
            Interlocked.Increment(ref taken);
        }

        Assert.That(results, Is.EqualTo(Enumerable.Range(0, 50)));
        Assert.That(most, Is.InRange(1, 5), "four ahead of the one being taken");
    }

    [Test]
    public void WhatNobodyTakesIsDisposedOf()
    {
        int made = 0, gone = 0;
        foreach (Owned first in LookAhead.Run(Enumerable.Range(0, 10), 3, _ =>
        {
            Interlocked.Increment(ref made);
            return new Owned(() => Interlocked.Increment(ref gone));
        }, default))
        {
            first.Dispose();
            break;
        }

        Assert.That(gone, Is.EqualTo(made).And.EqualTo(3));
    }

    [Test]
    public void ExceptionsAndCancellationReachTheTaker()
    {
        using var stop = new CancellationTokenSource();
        Assert.That(() => LookAhead.Run([1, 0, 2], 2, i => i > 0 ? i : throw new IOException("0"), default).ToArray(), Throws.InstanceOf<IOException>());
        Assert.That(() => LookAhead.Run(Enumerable.Range(0, 100), 2, i => i, stop.Token).Select(i =>
        {
            stop.Cancel();
            return i;
        }).ToArray(), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void TheCacheKeepsWhatWasUsedLast()
    {
        var loads = new List<int>();
        var cache = new BoundedCache<int, int>(30, key =>
        {
            loads.Add(key);
            return key;
        }, _ => 10);
        foreach (int key in new[] { 1, 2, 3, 1, 4, 1, 2 })
        {
            Assert.That(cache.Get(key), Is.EqualTo(key));
        }

        Assert.That(loads, Is.EqualTo(new[] { 1, 2, 3, 4, 2 }), "4 took the place of 2, not of 1");
    }
}
