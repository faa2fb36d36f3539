using System.Buffers.Binary;
using CudaL2Net.Formats.Hdf5;

namespace CudaL2Net.Formats.Matlab;

/// <summary>
/// MATLAB's format 7.3: HDF5. A numeric array is a dataset with its sizes in turned order, text is a dataset of characters, a cell array one of references, a
/// struct a group. What cells refer to lies in the group <c>#refs#</c>.
/// </summary>
internal sealed class Mat73Reader
{
    private const string References = "#refs#", Systems = "#subsystem#", ClassName = "MATLAB_class", IsEmpty = "MATLAB_empty";

    private readonly Hdf5File file;
    private readonly Dictionary<long, MatValue?> known = [];

    private Mat73Reader(Hdf5File file) => this.file = file;

    /// <summary>Reads all variables.</summary>
    /// <exception cref="ContentException">The file is damaged.</exception>
    public static Dictionary<string, MatValue> Read(byte[] bytes)
    {
        var file = Hdf5File.Open(bytes);
        var reader = new Mat73Reader(file);
        return reader.Members(file.Object(file.Root), 0);
    }

    private Dictionary<string, MatValue> Members(Hdf5Object group, int depth) => group.Members()
        .Where(member => member.Key is not (References or Systems))
        .ToDictionary(member => member.Key, member => Value(member.Value, depth));

    private MatValue Value(long address, int depth)
    {
        if (depth > MatFile.MostDepth)
        {
            throw new ContentException($"cells and structs lie more than {MatFile.MostDepth} deep in one another");
        }

        if (known.TryGetValue(address, out MatValue? before))
        {
            return before ?? throw new ContentException("a cell or struct holds itself");
        }

        known.Add(address, null);
        MatValue value = Read(file.Object(address), depth);
        known[address] = value;
        return value;
    }

    private MatValue Read(Hdf5Object found, int depth)
    {
        if (found.IsGroup)
        {
            return new MatStruct(Members(found, depth + 1));
        }

        if (found.Type is null)
        {
            throw new ContentException("an object is neither a group nor a dataset");
        }

        string kind = found.Attribute(ClassName) as string ?? "";
        if (found.Type.Kind is Hdf5Kind.Other or Hdf5Kind.String)
        {
            return new MatOther($"a {(kind.Length > 0 ? kind : "value")} of a type that is not read");
        }

        byte[] content = found.Read();
        if (found.Type.Kind == Hdf5Kind.ObjectReference)
        {
            var items = new MatValue[content.Length / sizeof(long)];
            for (int i = 0; i < items.Length; i++)
            {
                items[i] = Value(BinaryPrimitives.ReadInt64LittleEndian(content.AsSpan(i * sizeof(long))), depth + 1);
            }

            return new MatCell(items);
        }

        // Of an empty array the sizes are the content.
        return found.Attribute(IsEmpty) is long and not 0
            ? new MatArray([0, 0], [], kind == "char")
            : new MatArray([.. found.Sizes.Reverse().Select(size => (int)size)], Hdf5Numbers.ToFloats(found.Type, content), kind == "char");
    }
}
