using CudaL2Net.Formats;
using PureHDF;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>Writes an HDF5 file: first what is in it and how large it is, then the data, one dataset after the other.</summary>
internal sealed class HdfWriter
{
    private readonly H5File file = [];

    /// <summary>Adds a dataset, and the groups above it.</summary>
    /// <param name="path">Its name behind those of its groups, with slashes.</param>
    /// <param name="shape">Its shape.</param>
    public H5Dataset<T> Add<T>(string path, params ReadOnlySpan<int> shape)
    {
        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        H5Group group = file;
        foreach (string name in names[..^1])
        {
            if (!group.TryGetValue(name, out object? inner))
            {
                group[name] = inner = new H5Group();
            }

            group = inner as H5Group ?? throw new InvalidDataException($"an image and a folder of images have the same name: {path}");
        }

        var dimensions = new ulong[shape.Length];
        for (int i = 0; i < shape.Length; i++)
        {
            dimensions[i] = (ulong)shape[i];
        }

        var dataset = new H5Dataset<T>(fileDims: dimensions);
        group[names[^1]] = dataset;
        return dataset;
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">Its place.</param>
    /// <param name="writes">Write the datasets.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(string path, IEnumerable<Action<H5NativeWriter>> writes) => AtomicFile.Write(path, stream =>
    {
        using H5NativeWriter writer = file.BeginWrite(stream);
        foreach (Action<H5NativeWriter> write in writes)
        {
            write(writer);
        }
    });
}
