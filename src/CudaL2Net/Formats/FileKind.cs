using System.Text;

namespace CudaL2Net.Formats;

/// <summary>Kinds of files that people take for one another, told by their first bytes.</summary>
internal enum FileKind
{
    /// <summary>Something else.</summary>
    Unknown,

    /// <summary>No bytes at all.</summary>
    Empty,

    /// <summary>A safetensors file.</summary>
    Safetensors,

    /// <summary>A file of <c>torch.save</c>, or another pickle of Python.</summary>
    PyTorch,

    /// <summary>A file of Lua's Torch 7.</summary>
    Torch7,

    /// <summary>A network in ONNX.</summary>
    Onnx,

    /// <summary>An array, or an archive of arrays, of NumPy.</summary>
    NumPy,

    /// <summary>Another zip archive.</summary>
    Zip,

    /// <summary>An HDF5 or MATLAB file.</summary>
    Matrix,

    /// <summary>An image.</summary>
    Image,

    /// <summary>JSON.</summary>
    Json,

    /// <summary>What Git keeps in place of a large file.</summary>
    GitPointer,

    /// <summary>A page of the web, as comes where a download fails.</summary>
    WebPage,

    /// <summary>Other text.</summary>
    Text,
}

/// <summary>Tells what a file is.</summary>
internal static class FileKinds
{
    /// <summary>The bytes that <see cref="Of"/> looks at.</summary>
    public const int Bytes = 512;

    /// <summary>The kind of a file that starts with these bytes.</summary>
    /// <param name="start">The first <see cref="Bytes"/> bytes, or all where there are fewer.</param>
    public static FileKind Of(ReadOnlySpan<byte> start)
    {
        // Before all else: the length of a safetensors file's header may look like any other signature.
        if (start.Length > 8 && start[8] == '{' && !start[4..8].ContainsAnyExcept((byte)0))
        {
            return FileKind.Safetensors;
        }

        return start.IsEmpty ? FileKind.Empty
            : start.StartsWith("PK\u0003\u0004"u8) ? OfArchive(start)
            : start[1..].StartsWith("HDF\r\n"u8) || start.StartsWith("MATLAB "u8) ? FileKind.Matrix
            : start[1..].StartsWith("NUMPY"u8) ? FileKind.NumPy
            : start is [0x80, >= 2 and <= 5, ..] ? FileKind.PyTorch
            : start is [3 or 4, 0, 0, 0, 1, 0, 0, 0, ..] ? FileKind.Torch7
            : IsImage(start) ? FileKind.Image
            : start is [8, >= 1 and <= 20, 0x12 or 0x1a or 0x22 or 0x2a or 0x32 or 0x3a or 0x42, ..] ? FileKind.Onnx
            : OfText(start);
    }

    /// <summary>A kind in words, with its article; null for <see cref="FileKind.Unknown"/>.</summary>
    public static string? NameOf(FileKind kind) => kind switch
    {
        FileKind.Empty => "an empty file",
        FileKind.Safetensors => "a safetensors file",
        FileKind.PyTorch => "a PyTorch file",
        FileKind.Torch7 => "a Torch 7 file",
        FileKind.Onnx => "an ONNX network",
        FileKind.NumPy => "a NumPy file",
        FileKind.Zip => "a zip archive",
        FileKind.Matrix => "an HDF5 or MATLAB file",
        FileKind.Image => "an image",
        FileKind.Json => "JSON",
        FileKind.GitPointer => "what Git LFS keeps in place of a file (git lfs pull fetches it)",
        FileKind.WebPage => "a web page (download the file again)",
        FileKind.Text => "a text file",
        _ => null,
    };

    private static FileKind OfArchive(ReadOnlySpan<byte> start)
    {
        const int Name = 30;
        ReadOnlySpan<byte> name = start.Length < Name ? [] : start[Name..Math.Min(start.Length, Name + start[26])];
        return name.EndsWith(".npy"u8) ? FileKind.NumPy
            : name.EndsWith(".pkl"u8) || name.IndexOf("/data/"u8) >= 0 || name.EndsWith("/.format_version"u8) ? FileKind.PyTorch
            : FileKind.Zip;
    }

    private static bool IsImage(ReadOnlySpan<byte> start) =>
        start.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']) || start is [0xff, 0xd8, 0xff, ..] || start.StartsWith("GIF8"u8)
        || (start.StartsWith("BM"u8) && start.Length > 10 && !start[6..10].ContainsAnyExcept((byte)0)) || start.StartsWith("II*\0"u8) || start.StartsWith("MM\0*"u8)
        || (start.Length > 12 && ((start.StartsWith("RIFF"u8) && start[8..].StartsWith("WEBP"u8)) || start[4..].StartsWith("ftyp"u8)))
        || start is [(byte)'P', >= (byte)'1' and <= (byte)'7', (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t', ..];

    private static FileKind OfText(ReadOnlySpan<byte> start)
    {
        // The last character may be cut.
        string text = Encoding.UTF8.GetString(start).TrimEnd('\uFFFD');
        string trimmed = text.TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        return text.Any(letter => letter == '\uFFFD' || (char.IsControl(letter) && letter is not ('\t' or '\r' or '\n' or '\f'))) ? FileKind.Unknown
            : trimmed.StartsWith("version https://git-lfs", StringComparison.Ordinal) ? FileKind.GitPointer
            : trimmed.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
                || trimmed.StartsWith("<html", StringComparison.OrdinalIgnoreCase) ? FileKind.WebPage
            : trimmed.StartsWith('{') || trimmed.StartsWith('[') ? FileKind.Json
            : FileKind.Text;
    }
}
