using System.IO.MemoryMappedFiles;

namespace CudaL2Net.Fuzz;

/// <summary>
/// Where the worker writes what it is doing, so that the one who watches knows it even if the worker dies in a native library: a file that both map. It has
/// the reader that is at work, the processor time, then for each reader how many inputs are done, and how they ended.
/// </summary>
internal sealed class Board : IDisposable
{
    private const int Width = 4;

    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;

    /// <summary>Opens the file, or makes it.</summary>
    public Board(string path, int readers)
    {
        file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, 8 * (2 + (Width * readers)));
        view = file.CreateViewAccessor();
    }

    /// <summary>The reader at work: its place in the list.</summary>
    public int Reader
    {
        get => (int)view.ReadInt64(0);
        set => view.Write(0, (long)value);
    }

    /// <summary>Milliseconds of processor time of all workers so far.</summary>
    public long Milliseconds
    {
        get => view.ReadInt64(8);
        set => view.Write(8, value);
    }

    /// <summary>The inputs of a reader that are done: the number of the one at work.</summary>
    public long Done(int reader) => view.ReadInt64(Place(reader));

    /// <summary>How many of a reader's inputs ended so.</summary>
    public long Ended(int reader, Outcome outcome) => view.ReadInt64(Place(reader) + 8 + (8 * (int)outcome));

    /// <summary>Notes how the input at work ended.</summary>
    public void End(int reader, Outcome outcome)
    {
        view.Write(Place(reader) + 8 + (8 * (int)outcome), Ended(reader, outcome) + 1);
        view.Write(Place(reader), Done(reader) + 1);
    }

    public void Dispose()
    {
        view.Dispose();
        file.Dispose();
    }

    private static long Place(int reader) => 8 * (2 + (Width * reader));
}
