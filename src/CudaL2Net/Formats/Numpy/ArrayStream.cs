namespace CudaL2Net.Formats;

/// <summary>The bytes of an array: a .npy file, or an entry of a .npz archive.</summary>
/// <param name="stream">The bytes.</param>
/// <param name="length">Their number.</param>
/// <param name="name">What errors call the array.</param>
/// <param name="archive">What else is closed at the end, and what makes an error of reading one that names the archive; null for a file of its own.</param>
internal sealed class ArrayStream(Stream stream, long length, string name, (IDisposable Open, Func<Exception, Exception> Explain)? archive = null) : IDisposable
{
    /// <summary>Opens a .npy file or a .npz archive.</summary>
    /// <param name="path">The file.</param>
    /// <param name="array">The array in an archive; null for the only one.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The archive is damaged, or it is not clear which array is meant.</exception>
    public static ArrayStream Open(string path, string? array)
    {
        if (NpzFile.IsArchive(path))
        {
            return NpzFile.Open(path, array);
        }

        FileStream file = InputFile.Open(path);
        return new ArrayStream(file, file.Length, path);
    }

    /// <summary>Reads on.</summary>
    /// <param name="read">Is given the stream, the bytes that the array has in all, and what errors call it.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public T Read<T>(Func<Stream, long, string, T> read)
    {
        try
        {
            return read(stream, length, name);
        }
        catch (Exception error) when (archive is not null && NpzFile.IsOfArchive(error))
        {
            throw archive.Value.Explain(error);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stream.Dispose();
        archive?.Open.Dispose();
    }
}
