namespace CudaL2Net.Native;

/// <summary>
/// What the caller's handles stand for. A handle is no address but a place in this table and the number of its tenants so far, so that one that was released,
/// is of another kind or comes from elsewhere is told from a good one. Handles are odd: no address of an object is.
/// </summary>
internal static class Handles
{
    private const int PlaceBits = 24, MostPlaces = 1 << PlaceBits;

    private static readonly Lock Changing = new();
    private static readonly Stack<int> Free = new();
    private static Place[] places = new Place[64];
    private static int used;

    /// <summary>The handles that have not been released.</summary>
    public static int Count
    {
        get
        {
            lock (Changing)
            {
                return used - Free.Count;
            }
        }
    }

    /// <summary>A new handle.</summary>
    /// <exception cref="InvalidOperationException">There are sixteen million.</exception>
    public static nint Add(object value)
    {
        lock (Changing)
        {
            if (!Free.TryPop(out int place))
            {
                if (used == MostPlaces)
                {
                    throw new InvalidOperationException($"{MostPlaces} handles have not been released: release statuses, models and devices after use");
                }

                if (used == places.Length)
                {
                    Array.Resize(ref places, 2 * used);
                }

                place = used++;
            }

            ref Place entry = ref places[place];
            entry = new Place(value, entry.Tenant + 1);
            return (nint)((((entry.Tenant << PlaceBits) | (long)place) << 1) | 1);
        }
    }

    /// <summary>What a handle stands for.</summary>
    /// <exception cref="HandleException">Nothing of this kind.</exception>
    public static T Get<T>(nint handle)
        where T : class => Find<T>(handle, remove: false);

    /// <summary>Ends a handle, and gives what it stood for.</summary>
    /// <exception cref="HandleException">It stands for nothing of this kind.</exception>
    public static T Remove<T>(nint handle)
        where T : class => Find<T>(handle, remove: true);

    private static T Find<T>(nint handle, bool remove)
        where T : class
    {
        if (handle == 0)
        {
            throw new HandleException($"the {Name<T>()} is NULL");
        }

        int place = (int)((handle >> 1) & (MostPlaces - 1));
        long tenant = handle >> (PlaceBits + 1);
        lock (Changing)
        {
            if ((handle & 1) != 0 && place < used && places[place] is { Value: T value } entry && entry.Tenant == tenant)
            {
                if (remove)
                {
                    places[place] = entry with { Value = null };
                    Free.Push(place);
                }

                return value;
            }
        }

        throw new HandleException($"the {Name<T>()} was released before, or is none of this library's");
    }

    private static string Name<T>() => typeof(T).Name.Replace("Entry", "", StringComparison.Ordinal).ToLowerInvariant();

    private readonly record struct Place(object? Value, long Tenant);
}

/// <summary>A handle that stands for nothing, or for something else.</summary>
internal sealed class HandleException(string message) : Exception(message);
