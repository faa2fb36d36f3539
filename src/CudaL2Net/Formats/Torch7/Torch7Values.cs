namespace CudaL2Net.Formats.Torch7;

/// <summary>A table of Lua: values by texts, numbers and booleans. Numbers from 1 on are a list.</summary>
internal sealed class Torch7Table
{
    private readonly Dictionary<object, object?> entries = [];

    /// <summary>The values under 1, 2 and so on, up to the first gap.</summary>
    public IEnumerable<object?> List
    {
        get
        {
            for (double i = 1; entries.TryGetValue(i, out object? value); i++)
            {
                yield return value;
            }
        }
    }

    /// <summary>A value by its name; null where there is none.</summary>
    public object? this[string name] => entries.GetValueOrDefault(name);

    /// <summary>All keys and values.</summary>
    public IEnumerable<KeyValuePair<object, object?>> Entries => entries;

    public void Set(object key, object? value) => entries[key] = value;
}

/// <summary>An object of a class that is neither a tensor nor a storage: a module of a network, for example.</summary>
internal sealed class Torch7Object(string className)
{
    /// <summary>The class, as <c>nn.SpatialConvolution</c>.</summary>
    public string Class => className;

    /// <summary>Its fields.</summary>
    public Torch7Table Fields { get; set; } = new();
}
