using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace CudaL2Net.Tests.Reference;

/// <summary>Work done by several threads at once.</summary>
internal static class Threads
{
    /// <summary>Long enough for the slowest machine; what takes longer hangs.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>Lets threads do their work at the same time and waits for all of them; an exception of one is passed on. Fails if one does not come to an end.</summary>
    public static void Run(params Action[] works) => Start(works)();

    /// <summary>Lets <paramref name="count"/> threads do the same work, each with its number.</summary>
    public static void Run(int count, Action<int> work) => Run([.. Enumerable.Range(0, count).Select(i => (Action)(() => work(i)))]);

    /// <summary>Starts threads that do their work at the same time.</summary>
    /// <returns>Waits for all of them, as <see cref="Run(Action[])"/> does.</returns>
    public static Action Start(params Action[] works)
    {
        var errors = new ConcurrentQueue<Exception>();
        using var ready = new CountdownEvent(works.Length);
        var go = new ManualResetEventSlim();
        Thread[] threads = Array.ConvertAll(works, work => new Thread(() =>
        {
            ready.Signal();
            go.Wait();
            try
            {
                work();
            }
            catch (Exception error)
            {
                errors.Enqueue(error);
            }
        })
        { IsBackground = true });
        Array.ForEach(threads, thread => thread.Start());
        ready.Wait();
        go.Set();
        return () =>
        {
            var watch = Stopwatch.StartNew();
            foreach (Thread thread in threads)
            {
                TimeSpan left = Limit - watch.Elapsed;
                if (left < TimeSpan.Zero || !thread.Join(left))
                {
                    Assert.Fail($"a thread hangs; errors of others: {string.Join("; ", errors.Select(error => error.Message))}");
                }
            }

            if (errors.TryPeek(out Exception? first))
            {
                ExceptionDispatchInfo.Throw(first);
            }
        };
    }
}
