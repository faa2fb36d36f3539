namespace CudaL2Net.Fuzz;

/// <summary>What a reader owes for a damaged file.</summary>
internal enum Promise
{
    /// <summary>It is refused by name, or read as it is: the format cannot tell.</summary>
    NoCrash,

    /// <summary>Besides: a file that was cut short is refused, or gives what the whole one gives.</summary>
    NoticesCuts,

    /// <summary>Every damaged file is refused, or gives what the undamaged one gives: the format has a checksum.</summary>
    NoticesAll,
}

/// <summary>Which mutations suit a file, besides those of bytes.</summary>
internal enum Content
{
    Bytes,
    Lines,
    Json,
}

/// <summary>A file to damage.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="IsValid">Whether it must be read; else it is crafted to be hostile.</param>
internal sealed record Sample(string Name, byte[] Bytes, bool IsValid = true);

/// <summary>A reader of files under test.</summary>
/// <param name="Name">Its name, for replaying.</param>
/// <param name="File">The name of the file that is damaged, in a folder of the reader's own.</param>
/// <param name="Samples">What is damaged.</param>
/// <param name="Read">Reads the file at this path, and puts all that it read into the digest.</param>
internal sealed record Reader(string Name, string File, IReadOnlyList<Sample> Samples, Action<string, Digest> Read)
{
    /// <summary>What it owes.</summary>
    public Promise Promise { get; init; }

    /// <summary>What mutations suit it.</summary>
    public Content Content { get; init; }

    /// <summary>Makes the checksums of a damaged file right again, so that the damage reaches what lies behind them; null where there are none.</summary>
    public Func<byte[], byte[]>? Repair { get; init; }

    /// <summary>Writes the files that lie beside it into its folder.</summary>
    public Action<string>? Surround { get; init; }

    /// <summary>How many of the inputs it gets, beside 1 of the others. Slow ones get less.</summary>
    public double Share { get; init; } = 1;
}
