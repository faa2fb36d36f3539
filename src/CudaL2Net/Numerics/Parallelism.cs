using System.Runtime.ExceptionServices;

namespace CudaL2Net.Numerics;

/// <summary>How many threads of the host a loop may use. Loops give the same results with any number.</summary>
/// <param name="threads">At most so many; 0 is one per core.</param>
internal readonly struct Parallelism(int threads)
{
    /// <summary>The most threads that work at once.</summary>
    public int Threads { get; } = threads switch
    {
        > 0 => threads,
        0 => Environment.ProcessorCount,
        _ => throw new ArgumentOutOfRangeException(nameof(threads), threads, "the number of threads must be 0 (one per core) or more"),
    };

    /// <summary>Does 0 to <paramref name="count"/> - 1, in any order. With one thread it is the caller, and the order is rising.</summary>
    /// <param name="count">The number of items.</param>
    /// <param name="body">Does one item; its first exception is passed on.</param>
    public void For(int count, Action<int> body) => For(count, () => 0, (i, _) => body(i), _ => { });

    /// <summary>The same, with something that each thread has for itself, such as memory.</summary>
    /// <param name="count">The number of items.</param>
    /// <param name="start">Makes it for a thread.</param>
    /// <param name="body">Does one item.</param>
    /// <param name="end">Takes it when a thread is done; may be called by several threads at once.</param>
    public void For<T>(int count, Func<T> start, Action<int, T> body, Action<T> end)
    {
        if (Threads == 1 || count < 2)
        {
            T own = start();
            for (int i = 0; i < count; i++)
            {
                body(i, own);
            }

            end(own);
            return;
        }

        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Threads }, start, (i, _, own) =>
            {
                body(i, own);
                return own;
            }, end);
        }
        catch (AggregateException errors)
        {
            ExceptionDispatchInfo.Throw(errors.InnerExceptions[0]);
        }
    }
}
