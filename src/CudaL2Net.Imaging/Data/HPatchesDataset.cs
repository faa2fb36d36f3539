using System.Buffers.Binary;
using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Data;

/// <summary>
/// HPatches: a folder a sequence, each with 16 strips of 65 x 65 patches, <c>ref.png</c> and, for the five other images, <c>e1..e5</c> (easy), <c>h1..h5</c>
/// (hard) and <c>t1..t5</c> (tough). Row i of all strips of a sequence shows the same point.
/// </summary>
public sealed class HPatchesDataset
{
    /// <summary>Rows and columns of a patch.</summary>
    public const int PatchSide = 65;

    private const string SplitFile = "splits.json";

    private readonly SortedSet<string> sequences;

    private HPatchesDataset(string folder, SortedSet<string> sequences)
    {
        Folder = folder;
        this.sequences = sequences;
    }

    /// <summary>The strips of a sequence: ref, e1..e5, h1..h5, t1..t5.</summary>
    public static IReadOnlyList<string> StripNames { get; } = ["ref", .. "eht".SelectMany(level => Enumerable.Range(1, 5).Select(image => $"{level}{image}"))];

    /// <summary>The folder.</summary>
    public string Folder { get; }

    private IEnumerable<string> TaskFolders => [Folder, Path.Combine(Folder, "tasks"), Path.Combine(Folder, "tasks", "splits")];

    /// <summary>The sequences in the folder, in the order of their names.</summary>
    public IReadOnlyCollection<string> Sequences => sequences;

    /// <summary>Opens the data: finds the sequences and checks that their strips are there.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A strip is missing.</exception>
    /// <exception cref="InvalidDataException">There are no sequences.</exception>
    public static HPatchesDataset Open(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder} does not exist. Name the folder of the HPatches sequences (i_ajuntament, v_abstract and so on).");
        }

        var sequences = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string sequence in FolderWalk.Folders(folder, _ => true))
        {
            string[] missing = [.. StripNames.Select(strip => Path.Combine(sequence, strip + ".png")).Where(path => !File.Exists(path))];
            if (missing.Length == StripNames.Count)
            {
                continue;
            }

            if (missing.Length > 0)
            {
                throw new FileNotFoundException(
                    $"{missing[0]} is missing. A sequence has 16 strips, ref, e1..e5, h1..h5 and t1..t5; unpack it again.", missing[0]);
            }

            sequences.Add(Path.GetFileName(sequence));
        }

        return sequences.Count > 0
            ? new HPatchesDataset(folder, sequences)
            : throw new InvalidDataException(
                $"{folder} has no HPatches sequences, folders with ref.png, e1.png and so on. Name the folder that holds i_ajuntament, v_abstract and so on.");
    }

    /// <summary>
    /// The sequences to train on: the train list of a split in <c>splits.json</c>, in the folder, in its <c>tasks</c> or in <c>tasks/splits</c>, as the
    /// benchmark keeps it.
    /// </summary>
    /// <param name="split">a, b, c, illum, view or full.</param>
    /// <exception cref="FileNotFoundException">There is no <c>splits.json</c>, so that test sequences cannot be told from those to train on.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, has no such split with a train list, or names a sequence that is not there.</exception>
    public IReadOnlyList<string> ReadTrainingSequences(string split = "a") => ReadSplit(FindSplits(split), split, "train");

    /// <summary>
    /// The sequences to test on: the test list of a split in <c>splits.json</c>, in its order. Without that file, full is all sequences, illum those whose
    /// names start with i_ and view those that start with v_, by name.
    /// </summary>
    /// <param name="split">a, b, c, illum, view or full.</param>
    /// <exception cref="FileNotFoundException">The split is a, b or c and there is no <c>splits.json</c>.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, has no such split, or names a sequence that is not there.</exception>
    public IReadOnlyList<string> ReadTestSequences(string split)
    {
        if (TaskFile(SplitFile) is { } path)
        {
            return ReadSplit(path, split, "test");
        }

        string[] names = split switch
        {
            "full" => [.. sequences],
            "illum" => [.. sequences.Where(IsIllumination)],
            "view" => [.. sequences.Where(name => !IsIllumination(name))],
            _ => throw MissingSplits(split),
        };
        return names.Length > 0 ? names : throw new InvalidDataException($"{Folder} has no sequences of split '{split}'");
    }

    /// <summary>Whether a sequence's images differ in illumination, else in viewpoint: its name starts with i_.</summary>
    public static bool IsIllumination(string sequence) => sequence.StartsWith("i_", StringComparison.Ordinal);

    /// <summary>A file of the benchmark's tasks: in the folder, in its <c>tasks</c> or in <c>tasks/splits</c>; null where it is in none of them.</summary>
    internal string? TaskFile(string name) => TaskFolders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>The file that says which sequences a split has.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    internal string FindSplits(string split) => TaskFile(SplitFile) ?? throw MissingSplits(split);

    /// <summary>Reads one strip of a sequence that must have as many patches as <c>ref.png</c>.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strip">One of <see cref="StripNames"/>.</param>
    /// <param name="rows">The patches of <c>ref.png</c>.</param>
    /// <inheritdoc cref="ReadStrip(string, string)"/>
    public PatchStrip ReadStrip(string sequence, string strip, int rows)
    {
        PatchStrip patches = ReadStrip(sequence, strip);
        return patches.Count == rows
            ? patches
            : throw new InvalidDataException($"{StripPath(sequence, strip)} has {patches.Count} patches, but ref.png has {rows}. Unpack the sequence again.");
    }

    /// <summary>Reads one strip of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strip">One of <see cref="StripNames"/>.</param>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is no strip of 65 x 65 patches.</exception>
    public PatchStrip ReadStrip(string sequence, string strip)
    {
        var patches = PatchStrip.Read(StripPath(sequence, strip));
        return patches.Side == PatchSide
            ? patches
            : throw new InvalidDataException($"{StripPath(sequence, strip)} is {patches.Side} pixels wide; patches of HPatches have {PatchSide}");
    }

    /// <summary>
    /// Loads the training part, patches reduced to 32 x 32, without the near-uniform ones. Every row of a sequence is a point with up to 16 patches. Where the
    /// patches do not all fit into one set, only every second, third ... row is taken.
    /// </summary>
    /// <param name="split">The split whose train list is taken; null for all sequences, test sequences too.</param>
    /// <param name="parts">What is kept besides the reduced patches.</param>
    /// <exception cref="FileNotFoundException">There is no <c>splits.json</c>.</exception>
    /// <exception cref="IOException">A strip cannot be read.</exception>
    /// <exception cref="InvalidDataException">A strip is damaged, the strips of a sequence differ in height, or <c>splits.json</c> is damaged.</exception>
    public LabelledPatches LoadForTraining(string? split = "a", PatchParts parts = PatchParts.None) =>
        LoadForTraining(split, parts, PatchSetBuilder.MaxCount(parts));

    internal LabelledPatches LoadForTraining(string? split, PatchParts parts, int maxPatches)
    {
        IReadOnlyList<string> training = split is null ? [.. sequences] : ReadTrainingSequences(split);
        int[] rows = [.. training.Select(sequence => ReadRowCount(sequence))];
        long total = rows.Sum(count => (long)count) * StripNames.Count;
        int step = 1;
        while (CountTaken(step) > maxPatches)
        {
            step++;
        }

        using var builder = new PatchSetBuilder(parts);
        int firstPoint = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            foreach (string name in StripNames)
            {
                PatchStrip strip = ReadStrip(training[i], name, rows[i]);
                for (int row = 0; row < strip.Count; row += step)
                {
                    builder.Add(strip[row], PatchSide, firstPoint + row, skipNearUniform: true);
                }
            }

            firstPoint += rows[i];
        }

        return new LabelledPatches(builder.Build(), builder.NearUniform, (int)(total - CountTaken(step)));

        long CountTaken(int step) => rows.Sum(count => (long)((count + step - 1) / step)) * StripNames.Count;
    }

    /// <summary>The number of patches in each strip of a sequence, read from the header of <c>ref.png</c>.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is no strip.</exception>
    public int ReadRowCount(string sequence) => CountRows(StripPath(sequence, "ref"));

    /// <summary>Reads the number of patches from a PNG's header, so that memory can be laid out before all strips are decoded.</summary>
    private static int CountRows(string path)
    {
        Span<byte> header = stackalloc byte[24];
        using FileStream stream = InputFile.Open(path);
        ReadOnlySpan<byte> signature = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || !header.StartsWith(signature))
        {
            throw new InvalidDataException($"{path} is not a PNG image. Unpack the sequence again.");
        }

        uint width = BinaryPrimitives.ReadUInt32BigEndian(header[16..]), height = BinaryPrimitives.ReadUInt32BigEndian(header[20..]);
        return width == PatchSide && height % PatchSide == 0 && height is > 0 and < int.MaxValue
            ? (int)height / PatchSide
            : throw new InvalidDataException(
                $"{path} has {width} x {height} pixels; a strip of HPatches is {PatchSide} wide and its height a multiple of that");
    }

    private IReadOnlyList<string> ReadSplit(string path, string split, string part)
    {
        string[] names;
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
            names = [.. json.RootElement.GetProperty(split).GetProperty(part).EnumerateArray().Select(name => name.GetString()!)];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException(
                $"{path} has no list of {part} sequences for split '{split}': {error.Message.TrimEnd('.')}. Download it again.", error);
        }

        string? absent = names.FirstOrDefault(name => !sequences.Contains(name));
        return absent is not null
            ? throw new InvalidDataException(
                $"{path} names the {part} sequence {absent}, which {Folder} does not have. Unpack it, or take the name out of the list.")
            : names.Length == 0
                ? throw new InvalidDataException($"{path} lists no {part} sequences for split '{split}'. Download it again.")
                : names.Distinct().Count() == names.Length
                    ? names
                    : throw new InvalidDataException($"{path} lists a {part} sequence of split '{split}' twice. Download it again.");
    }

    private FileNotFoundException MissingSplits(string split) => new(
        $"{Path.Combine(Folder, "tasks", "splits", SplitFile)} is missing: it says which sequences split '{split}' has. Put the folder tasks of "
            + "hpatches-benchmark there.");

    private string StripPath(string sequence, string strip) => Path.Combine(Folder, sequence, strip + ".png");
}
