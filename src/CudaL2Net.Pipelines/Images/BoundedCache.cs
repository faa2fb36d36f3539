namespace CudaL2Net.Pipelines.Images;

/// <summary>Keeps what was used last, up to a number of bytes, and loads the rest again. For one thread at a time.</summary>
/// <param name="limit">The most bytes kept; the value used last is kept whatever its size.</param>
/// <param name="load">Loads a value.</param>
/// <param name="size">The bytes of a value.</param>
internal sealed class BoundedCache<TKey, TValue>(long limit, Func<TKey, TValue> load, Func<TValue, long> size)
    where TKey : notnull
{
    private readonly Dictionary<TKey, LinkedListNode<(TKey Key, TValue Value)>> known = [];
    private readonly LinkedList<(TKey Key, TValue Value)> byUse = new();
    private long bytes;

    /// <summary>The value of a key.</summary>
    public TValue Get(TKey key)
    {
        if (known.TryGetValue(key, out LinkedListNode<(TKey Key, TValue Value)>? node))
        {
            byUse.Remove(node);
            byUse.AddFirst(node);
            return node.Value.Value;
        }

        TValue value = load(key);
        bytes += size(value);
        known[key] = byUse.AddFirst((key, value));
        while (bytes > limit && byUse.Count > 1)
        {
            (TKey oldest, TValue dropped) = byUse.Last!.Value;
            byUse.RemoveLast();
            known.Remove(oldest);
            bytes -= size(dropped);
        }

        return value;
    }
}
