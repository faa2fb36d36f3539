namespace CudaL2Net.Formats;

/// <summary>An array in a .npy file or a .npz archive that is read some rows at a time, from the start as often as wanted.</summary>
internal sealed class NpyRows
{
    private readonly string path;
    private readonly string? name;
    private readonly NpyHeader header;

    private NpyRows(string path, string? name, NpyHeader header) => (this.path, this.name, this.header) = (path, name, header);

    /// <summary>The sizes, outermost first: the first is the number of rows.</summary>
    public ReadOnlySpan<int> Shape => header.Shape;

    /// <summary>Whether the elements are bytes.</summary>
    public bool IsBytes => header.ElementType == "u1";

    /// <summary>Whether the elements are integers.</summary>
    public bool HasWholeNumbers => header.ElementType[0] is 'u' or 'i';

    /// <summary>Bytes of a row.</summary>
    public long RowBytes => header.Shape is [> 0, ..] ? header.DataBytes!.Value / header.Shape[0] : 0;

    /// <summary>Reads the header and compares it with the length of the data.</summary>
    /// <param name="path">A .npy file or a .npz archive.</param>
    /// <param name="name">The array in an archive; null for the only one.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">As in <see cref="NpyFile.Read(string)"/> and <see cref="NpzFile.Read(string, string?)"/>.</exception>
    public static NpyRows Open(string path, string? name = null)
    {
        using ArrayStream stream = ArrayStream.Open(path, name);
        return new NpyRows(path, name, stream.Read(NpyFile.ReadHeader));
    }

    /// <summary>Reads all rows. Of an array in Fortran order, whose rows do not lie together, all come at once.</summary>
    /// <param name="rows">The most rows at once.</param>
    /// <returns>[n][the other sizes].</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or is no longer the one that was opened.</exception>
    public IEnumerable<NpyArray> Read(int rows)
    {
        using ArrayStream stream = ArrayStream.Open(path, name);
        NpyHeader found = stream.Read(NpyFile.ReadHeader);
        if (found.ElementType != header.ElementType || !found.Shape.AsSpan().SequenceEqual(header.Shape))
        {
            throw NpyHeader.Damaged(path, "it was changed while it was read");
        }

        int count = Shape.IsEmpty ? 0 : Shape[0], atOnce = found.FortranOrder && Shape.Length > 1 ? count : rows;
        for (int first = 0; first < count; first += atOnce)
        {
            int[] shape = [Math.Min(atOnce, count - first), .. found.Shape[1..]];
            yield return stream.Read((data, _, called) => NpyFile.ReadData(data, found with { Shape = shape }, called));
        }
    }
}
