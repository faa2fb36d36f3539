using System.Runtime.ExceptionServices;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>A loop body without managed state, so that running it allocates nothing.</summary>
internal interface IParallelJob
{
    /// <summary>Does item <paramref name="index"/>. <paramref name="worker"/> (0 to threads - 1) runs one item at a time, so scratch memory may be its
    /// own.</summary>
    void Run(int index, int worker);
}

/// <summary>A fixed set of threads that share loops. The caller takes part; items are handed out one by one.</summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    private const int SpinsBeforeSleep = 200;

    private readonly Thread[] threads;
    private readonly SemaphoreSlim[] wake;
    private readonly ManualResetEventSlim finished = new(false, SpinsBeforeSleep);
    private delegate*<void*, int, int, void> body;
    private void* job;
    private int count;
    private int next;
    private int running;
    private Exception? failure;
    private volatile bool stopping;

    public WorkerPool(int threadCount)
    {
        Threads = threadCount;
        threads = new Thread[threadCount - 1];
        wake = new SemaphoreSlim[threadCount - 1];
        for (int i = 0; i < threads.Length; i++)
        {
            int worker = i + 1;
            wake[i] = new SemaphoreSlim(0);
            threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"cudal2net cpu {worker}" };
            threads[i].Start();
        }

        // The event makes its lock when somebody first sleeps on it: now, since a step allocates nothing.
        if (threads.Length > 0)
        {
            finished.Wait(1);
        }
    }

    /// <summary>The number of threads, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs the job for 0 to <paramref name="items"/> - 1 and returns when all are done. One loop at a time.</summary>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    /// <remarks>An exception of the job ends the loop, and is passed on when all threads have stopped.</remarks>
    public void For<TJob>(int items, TJob loop)
        where TJob : unmanaged, IParallelJob
    {
        ObjectDisposedException.ThrowIf(stopping, this);
        if (items <= 1 || threads.Length == 0)
        {
            for (int i = 0; i < items; i++)
            {
                loop.Run(i, 0);
            }

            return;
        }

        job = &loop;
        body = &Invoke<TJob>;
        count = items;
        next = 0;
        failure = null;
        int helpers = Math.Min(threads.Length, items - 1);
        running = helpers;
        finished.Reset();
        for (int i = 0; i < helpers; i++)
        {
            wake[i].Release();
        }

        Drain(0);
        finished.Wait();
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Ends the threads. No loop may be running.</summary>
    public void Dispose()
    {
        stopping = true;
        foreach (SemaphoreSlim signal in wake)
        {
            signal.Release();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    private static void Invoke<TJob>(void* job, int index, int worker)
        where TJob : unmanaged, IParallelJob => ((TJob*)job)->Run(index, worker);

    private void Loop(int worker)
    {
        SemaphoreSlim signal = wake[worker - 1];
        while (true)
        {
            signal.Wait();
            if (stopping)
            {
                return;
            }

            Drain(worker);
            if (Interlocked.Decrement(ref running) == 0)
            {
                finished.Set();
            }
        }
    }

    private void Drain(int worker)
    {
        try
        {
            int index;
            while ((index = Interlocked.Increment(ref next) - 1) < count)
            {
                body(job, index, worker);
            }
        }
        catch (Exception exception)
        {
            failure = exception;
            Volatile.Write(ref next, count);
        }
    }
}
