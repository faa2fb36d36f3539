using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Matching;

namespace CudaL2Net.Native;

/// <summary>An index of the caller's.</summary>
internal sealed class IndexEntry(DescriptorIndex index) : IDisposable
{
    public DescriptorIndex Index { get; } = index;

    public void Dispose() => Index.Dispose();
}

/// <summary>The table's functions about targets that are kept.</summary>
internal static unsafe class IndexCalls
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Build(nint device, DescriptorArray* targets, nint* index) => Guard.Run(() =>
    {
        Argument.Output(index, "index");
        *index = 0;
        var built = new DescriptorIndex(Handles.Get<DeviceEntry>(device).Device, MatchCalls.Set(targets, "targets"));
        try
        {
            *index = Handles.Add(new IndexEntry(built));
        }
        catch
        {
            built.Dispose();
            throw;
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint FindMatches(nint index, DescriptorArray* queries, int mutual, double ratio, Match* matches, long capacity, long* count) =>
        Guard.Run(() =>
        {
            DescriptorIndex targets = Handles.Get<IndexEntry>(index).Index;
            MatchCalls.Find(queries, matches, capacity, count, from => targets.Match(from, new MatchOptions(mutual != 0, ratio)));
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint FindNearest(nint index, DescriptorArray* queries, int k, int* targets, float* distances, long capacity) => Guard.Run(() =>
    {
        DescriptorIndex kept = Handles.Get<IndexEntry>(index).Index;
        DescriptorSet from = MatchCalls.Set(queries, "queries");
        if (k < 1)
        {
            throw new ArgumentException($"k is {k}, and at least 1 is needed");
        }

        long needed = (long)from.Count * k;
        Argument.Count(needed, "the number of neighbours");
        Argument.Buffer(targets, capacity, needed, sizeof(int), "the memory for targets");
        Argument.Buffer(distances, capacity, needed, sizeof(float), "the memory for distances");
        Span<int> rows = new(targets, (int)needed);
        Span<float> values = new(distances, (int)needed);
        if (from.Values is { } floats)
        {
            RequireKind(kept, from, binary: false);
            kept.KNearest(floats, k, rows, values);
        }
        else
        {
            RequireKind(kept, from, binary: true);
            kept.KNearest(from.Bits!, k, rows, values);
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Release(nint index) => Guard.Run(() =>
    {
        if (index != 0)
        {
            Handles.Remove<IndexEntry>(index).Dispose();
        }
    });

    // Spans do not say how long a descriptor is.
    private static void RequireKind(DescriptorIndex index, DescriptorSet queries, bool binary)
    {
        if (index.IsBinary != binary || index.Dimension != queries.Dimension)
        {
            throw new ArgumentException(
                $"{queries} cannot be compared with an index of {index.Count} {(index.IsBinary ? "binary" : "float")} descriptors of dimension {index.Dimension}");
        }
    }
}
