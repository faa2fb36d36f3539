using System.Diagnostics;
using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels;

/// <summary>Rows that a device searches, with what it has made of them for that.</summary>
/// <param name="rows">The rows, which stay the caller's.</param>
internal abstract class SearchTargets<T>(Tensor<T> rows) : IDisposable
    where T : unmanaged
{
    /// <summary>The rows as they are.</summary>
    public Tensor<T> Rows { get; } = rows;

    /// <summary>How many they are.</summary>
    public int Count { get; } = rows.Shape[0];

    /// <summary>The elements of a row.</summary>
    public int Width { get; } = rows.Length / rows.Shape[0];

    /// <summary>Makes it anew from the rows. Allocates nothing.</summary>
    public abstract void Refresh();

    /// <summary>Gives back what was made of the rows, not the rows.</summary>
    public abstract void Dispose();

    /// <summary>The rows of queries.</summary>
    public int QueriesOf(Tensor<T> queries)
    {
        Debug.Assert((long)queries.Shape[0] * Width == queries.Length, "queries and targets have rows of one length");
        return queries.Shape[0];
    }
}

/// <summary>A pair that a search within a radius found, as kernels write it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FoundNeighbor
{
    /// <summary>Row of the queries.</summary>
    public int Query;

    /// <summary>Row of the targets.</summary>
    public int Target;

    /// <summary>Their distance.</summary>
    public float Distance;
}
