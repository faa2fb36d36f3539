using System.Text;

namespace CudaL2Net.Formats.Matlab;

/// <summary>Reads the variables of MATLAB files: of format 5 (<c>save -v6</c>, <c>-v7</c>) and of format 7.3, which is HDF5. Nothing in a file is executed.</summary>
internal static class MatFile
{
    /// <summary>How deep cells and structs may lie in one another; beyond, the reader itself would run out of stack.</summary>
    public const int MostDepth = 50;

    /// <summary>Reads all variables.</summary>
    /// <param name="path">A .mat file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or of another kind; the text names the file and what is wrong.</exception>
    public static IReadOnlyDictionary<string, MatValue> Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        byte[] bytes = InputFile.ReadAll(path);
        try
        {
            string start = Encoding.Latin1.GetString(bytes, 0, Math.Min(bytes.Length, 20));
            return start.StartsWith("MATLAB 5.0", StringComparison.Ordinal) ? Mat5Reader.Read(bytes) : Mat73Reader.Read(bytes);
        }
        catch (ContentException error)
        {
            throw new InvalidDataException($"{path} is no MATLAB file that can be read: {error.Message}.", error);
        }
    }
}
