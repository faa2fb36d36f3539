namespace CudaL2Net.Formats.Matlab;

/// <summary>A value of a MATLAB file.</summary>
internal abstract record MatValue
{
    /// <summary>A field of a struct; null where this is no struct, or has none of that name.</summary>
    public virtual MatValue? Field(string name) => null;
}

/// <summary>Numbers or text.</summary>
/// <param name="Shape">The sizes, at least two.</param>
/// <param name="Values">The values, the first index the fastest.</param>
/// <param name="IsText">Whether they are characters.</param>
internal sealed record MatArray(int[] Shape, float[] Values, bool IsText) : MatValue
{
    /// <summary>The characters.</summary>
    public string Text => string.Concat(Values.Select(value => (char)value));
}

/// <summary>Values in a cell array, or in an array of structs.</summary>
/// <param name="Items">The values, the first index the fastest.</param>
internal sealed record MatCell(IReadOnlyList<MatValue> Items) : MatValue;

/// <summary>One struct.</summary>
/// <param name="Fields">Its fields.</param>
internal sealed record MatStruct(IReadOnlyDictionary<string, MatValue> Fields) : MatValue
{
    public override MatValue? Field(string name) => Fields.GetValueOrDefault(name);
}

/// <summary>What is not read: sparse matrices, functions, objects of classes.</summary>
/// <param name="Kind">What it is.</param>
internal sealed record MatOther(string Kind) : MatValue;
