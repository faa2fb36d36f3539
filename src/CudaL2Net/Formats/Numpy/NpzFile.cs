using System.IO.Compression;

namespace CudaL2Net.Formats;

/// <summary>NumPy's .npz files: zip archives of .npy files, compressed or not.</summary>
internal static class NpzFile
{
    private const string Extension = ".npy";

    // Deflate makes nothing smaller than by this factor; an entry that claims more is none that NumPy wrote.
    private const int LargestRatio = 1032;

    /// <summary>Whether a file starts like a zip archive.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static bool IsArchive(string path)
    {
        using FileStream stream = InputFile.Open(path);
        Span<byte> start = stackalloc byte[4];
        return stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("PK\u0003\u0004"u8);
    }

    /// <summary>Reads an array.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="array">The array's name; null for the only one.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The archive or the array is damaged, or there is no such array, or several where none is named; the text
    /// says which there are.</exception>
    public static NpyArray Read(string path, string? array = null)
    {
        using ArrayStream stream = Open(path, array);
        return stream.Read(NpyFile.Read);
    }

    /// <summary>Opens an array.</summary>
    /// <inheritdoc cref="Read"/>
    internal static ArrayStream Open(string path, string? array)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        FileStream stream = InputFile.Open(path);
        try
        {
            var archive = new ZipArchive(stream);
            ZipArchiveEntry entry = Find(archive, path, array);
            if (entry.Length / LargestRatio > entry.CompressedLength)
            {
                throw new InvalidDataException($"{path} is damaged: {entry.FullName} claims {entry.Length} bytes, which {entry.CompressedLength} cannot hold");
            }

            return new ArrayStream(new ZipEntryStream(entry), entry.Length, $"{path}:{NameOf(entry)}", (archive, error => Explain(path, error)));
        }
        catch (Exception error)
        {
            stream.Dispose();
            if (IsOfArchive(error))
            {
                throw Explain(path, error);
            }

            throw;
        }
    }

    /// <summary>Whether an error tells of a damaged archive.</summary>
    internal static bool IsOfArchive(Exception error) =>
        error is InvalidDataException or NotSupportedException or ArgumentException or EndOfStreamException;

    private static Exception Explain(string path, Exception error) => error.Message.StartsWith(path, StringComparison.Ordinal)
        ? error
        : new InvalidDataException($"{path} is a damaged .npz archive: {error.Message.TrimEnd('.')}. Make or copy it again.", error);

    private static ZipArchiveEntry Find(ZipArchive archive, string path, string? array)
    {
        ZipArchiveEntry[] entries = [.. archive.Entries.Where(entry => entry.FullName.EndsWith(Extension, StringComparison.OrdinalIgnoreCase))];
        string names = string.Join(", ", entries.Take(20).Select(NameOf)) + (entries.Length > 20 ? ", ..." : string.Empty);
        if (array is not null)
        {
            return entries.FirstOrDefault(entry => NameOf(entry) == array) ?? throw new InvalidDataException(entries.Length == 0
                ? $"{path} holds no arrays"
                : $"{path} holds no array '{array}'; it holds {names}");
        }

        return entries.Length switch
        {
            1 => entries[0],
            0 => throw new InvalidDataException($"{path} holds no arrays"),
            _ => throw new InvalidDataException($"{path} holds {entries.Length} arrays: {names}. Name one of them, as {path}:{NameOf(entries[0])}"),
        };
    }

    private static string NameOf(ZipArchiveEntry entry) => entry.FullName[..^Extension.Length];
}
