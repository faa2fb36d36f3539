using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;

namespace CudaL2Net.Native;

/// <summary>The table's functions that compare descriptors.</summary>
internal static unsafe class MatchCalls
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Match(
        nint device, DescriptorArray* queries, DescriptorArray* targets, int mutual, double ratio, Match* matches, long capacity, long* count) =>
        Guard.Run(() => FindMatches(device, queries, targets, mutual, ratio, matches, capacity, count));

    private static void FindMatches(
        nint device, DescriptorArray* queries, DescriptorArray* targets, int mutual, double ratio, Match* matches, long capacity, long* count)
    {
        Device home = Handles.Get<DeviceEntry>(device).Device;
        DescriptorSet to = Set(targets, "targets");
        Find(queries, matches, capacity, count, from => new DescriptorSearch(home).Match(from, to, new MatchOptions(mutual != 0, ratio)));
    }

    /// <summary>Gives the caller the matches of its queries.</summary>
    public static void Find(DescriptorArray* queries, Match* matches, long capacity, long* count, Func<DescriptorSet, DescriptorMatch[]> search)
    {
        Argument.Output(count, "count");
        *count = 0;
        DescriptorSet from = Set(queries, "queries");
        Argument.Buffer(matches, capacity, from.Count, sizeof(int), "the memory for matches");
        DescriptorMatch[] found = search(from);
        for (int i = 0; i < found.Length; i++)
        {
            DescriptorMatch match = found[i];
            matches[i] = new Match { Query = match.Query, Target = match.Target, Distance = match.Distance, SecondDistance = match.SecondDistance };
        }

        *count = found.Length;
    }

    /// <summary>The caller's descriptors, copied.</summary>
    /// <exception cref="ArgumentException">Their sizes or their memory are not as they should be, or a value is not finite.</exception>
    public static DescriptorSet Set(DescriptorArray* descriptors, string name)
    {
        Argument.Output(descriptors, name);
        Argument.Count(descriptors->Count, $"the number of {name}");
        int dimension = descriptors->Dimension;
        if (dimension is < 1 or > 1 << 20)
        {
            throw new ArgumentException($"the dimension of {name} is {dimension}, not 1 to {1 << 20}");
        }

        switch ((ElementType)descriptors->Type)
        {
            case ElementType.Float:
                float[] values = Copy<float>(descriptors->Data, descriptors->Count * dimension, name);
                int bad = Array.FindIndex(values, value => !float.IsFinite(value));
                return bad < 0 ? DescriptorSet.FromValues(values, dimension)
                    : throw new ArgumentException($"descriptor {bad / dimension} (counted from 0) of {name} has a value that is not finite");
            case ElementType.Bits when dimension % 8 != 0:
                throw new ArgumentException($"{name} of {dimension} bits: expected a multiple of 8");
            case ElementType.Bits:
                return DescriptorSet.FromBits(Copy<byte>(descriptors->Data, descriptors->Count * (dimension / 8), name), dimension);
            default:
                throw new ArgumentException($"the type of {name} is {descriptors->Type}, expected CL2_F32 or CL2_BITS");
        }
    }

    private static T[] Copy<T>(void* data, long length, string name)
        where T : unmanaged
    {
        if (length > Array.MaxLength)
        {
            throw new ArgumentException($"{name} of {length} elements are too many: at most {Array.MaxLength} in a call");
        }

        if (length == 0)
        {
            return [];
        }

        Argument.Aligned(data, sizeof(T), $"the memory of {name}");
        return new ReadOnlySpan<T>(data, (int)length).ToArray();
    }
}
