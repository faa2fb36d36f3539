namespace CudaL2Net.Pipelines.Images;

/// <summary>Works some items ahead of the one who takes the results. So decoding one image overlaps with describing another, and memory has a bound.</summary>
internal static class LookAhead
{
    /// <summary>Does a piece of work per item on other threads.</summary>
    /// <param name="items">The items; they are asked for by the thread that takes the results, a few before their result is taken.</param>
    /// <param name="ahead">Results that may be waiting or being made at once; at least 1.</param>
    /// <param name="work">The work; its exceptions reach the one who takes the results.</param>
    /// <param name="cancellation">Ends it between two results.</param>
    /// <returns>The results, in the items' order.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IEnumerable<TResult> Run<TItem, TResult>(IEnumerable<TItem> items, int ahead, Func<TItem, TResult> work, CancellationToken cancellation)
    {
        var running = new Queue<Task<TResult>>();
        try
        {
            using IEnumerator<TItem> next = items.GetEnumerator();
            bool more = true;
            while (true)
            {
                while (more && running.Count < ahead)
                {
                    cancellation.ThrowIfCancellationRequested();
                    more = next.MoveNext();
                    if (more)
                    {
                        TItem item = next.Current;
                        running.Enqueue(Task.Run(() => work(item), CancellationToken.None));
                    }
                }

                if (running.Count == 0)
                {
                    yield break;
                }

                TResult result = running.Peek().GetAwaiter().GetResult();
                running.Dequeue();
                yield return result;
            }
        }
        finally
        {
            foreach (Task<TResult> left in running)
            {
                Drop(left);
            }
        }
    }

    // Nobody will take the result: wait, so that nothing works on behind the caller's back, and let go of it.
    private static void Drop<TResult>(Task<TResult> task)
    {
        Task.WaitAny(task);
        if (task.IsCompletedSuccessfully)
        {
            (task.Result as IDisposable)?.Dispose();
        }
        else
        {
            _ = task.Exception;
        }
    }
}
