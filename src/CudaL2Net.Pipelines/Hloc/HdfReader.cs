using PureHDF;
using PureHDF.VOL.Native;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>
/// Reads an HDF5 file with PureHDF, which trusts what a file says of itself: a damaged one may send it round for ever, or make it ask for any amount of memory.
/// So sizes are compared with the file's, and what takes too long is given up. For one thread at a time.
/// </summary>
internal sealed class HdfReader : IDisposable
{
    private const int MostLevels = 32;

    // Compressed data may be larger than the file, but not by this factor.
    private const long MostCompression = 1000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string path;
    private readonly long length;
    private readonly NativeFile file;

    private HdfReader(string path, long length, NativeFile file)
    {
        this.path = path;
        this.length = length;
        this.file = file;
    }

    /// <summary>Opens a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no HDF5 file, or damaged.</exception>
    public static HdfReader Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist", path);
        }

        return new HdfReader(path, new FileInfo(path).Length, Guard(path, () => H5File.OpenRead(path)));
    }

    /// <summary>The paths of all groups that have a dataset of a name, without a slash at their start.</summary>
    public IReadOnlyList<string> GroupsWith(string dataset) => Guard(path, () =>
    {
        var found = new List<string>();
        Walk(file, string.Empty, 0);
        return found;

        void Walk(IH5Group group, string at, int level)
        {
            if (level > MostLevels)
            {
                throw new InvalidDataException($"groups are nested {MostLevels} deep");
            }

            foreach (IH5Object child in group.Children())
            {
                string name = at.Length == 0 ? child.Name : $"{at}/{child.Name}";
                if (child is IH5Group inner)
                {
                    Walk(inner, name, level + 1);
                }
                else if (child.Name == dataset)
                {
                    found.Add(at);
                }
            }
        }
    });

    /// <summary>Whether there is a dataset.</summary>
    public bool Has(string dataset) => Guard(path, () => file.LinkExists(dataset));

    /// <summary>Reads numbers of any kind.</summary>
    /// <returns>The numbers, their shape, and whether they are single bytes.</returns>
    public (float[] Values, int[] Shape, bool AreBytes) Read(string dataset) => Guard(path, () =>
    {
        IH5Dataset found = Checked(dataset, out int[] shape);
        (H5DataTypeClass kind, int size) = (found.Type.Class, found.Type.Size);
        float[] values = (kind, size) switch
        {
            (H5DataTypeClass.FloatingPoint, 2) => Array.ConvertAll(found.Read<Half[]>(), value => (float)value),
            (H5DataTypeClass.FloatingPoint, 4) => found.Read<float[]>(),
            (H5DataTypeClass.FloatingPoint, 8) => Array.ConvertAll(found.Read<double[]>(), value => (float)value),
            (H5DataTypeClass.FixedPoint, 1) => Array.ConvertAll(found.Read<byte[]>(), value => (float)value),
            (H5DataTypeClass.FixedPoint, 2) => Array.ConvertAll(found.Read<short[]>(), value => (float)value),
            (H5DataTypeClass.FixedPoint, 4) => Array.ConvertAll(found.Read<int[]>(), value => (float)value),
            (H5DataTypeClass.FixedPoint, 8) => Array.ConvertAll(found.Read<long[]>(), value => (float)value),
            _ => throw new InvalidDataException($"{dataset} has no numbers of a known kind"),
        };
        return (values, shape, size == 1);
    });

    /// <summary>Reads whole numbers.</summary>
    public int[] ReadIntegers(string dataset) => Guard(path, () =>
    {
        IH5Dataset found = Checked(dataset, out _);
        return (found.Type.Class, found.Type.Size) switch
        {
            (H5DataTypeClass.FixedPoint, 2) => Array.ConvertAll(found.Read<short[]>(), value => (int)value),
            (H5DataTypeClass.FixedPoint, 4) => found.Read<int[]>(),
            (H5DataTypeClass.FixedPoint, 8) => Array.ConvertAll(found.Read<long[]>(), value => checked((int)value)),
            _ => throw new InvalidDataException($"{dataset} has no whole numbers"),
        };
    });

    /// <summary>Reads a number beside a dataset; null where there is none.</summary>
    public float? Attribute(string dataset, string name) => Guard<float?>(path, () =>
    {
        IH5Dataset found = file.Dataset(dataset);
        return found.AttributeExists(name) ? found.Attribute(name).Read<float>() : null;
    });

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            Task<T> task = Task.Run(read);
            return task.Wait(Patience)
                ? task.GetAwaiter().GetResult()
                : throw new InvalidDataException($"it is not read within {Patience.TotalSeconds:0} seconds");
        }
        catch (AggregateException error) when (error.InnerException is UnauthorizedAccessException or FileNotFoundException)
        {
            throw new IOException($"{path} cannot be read: {error.InnerException.Message}", error);
        }
        catch (Exception error) when (error is AggregateException or InvalidDataException)
        {
            throw new InvalidDataException($"{path} is damaged, or no HDF5 file that can be read: {(error.InnerException ?? error).Message}", error);
        }
    }

    private IH5Dataset Checked(string dataset, out int[] shape)
    {
        IH5Dataset found = file.Dataset(dataset);
        ulong[] dimensions = found.Space.Dimensions;
        shape = Array.ConvertAll(dimensions, dimension => checked((int)dimension));
        long bytes = shape.Aggregate((long)found.Type.Size, (size, dimension) => checked(size * dimension));
        long most = found.Layout.Class == H5DataLayoutClass.Chunked ? Math.Min(Array.MaxLength, length * MostCompression) : length;
        return bytes <= most ? found : throw new InvalidDataException($"{dataset} would have {bytes} bytes in a file of {length}");
    }
}
