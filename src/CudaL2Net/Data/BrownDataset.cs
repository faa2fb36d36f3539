using System.Globalization;
using CudaL2Net.Formats;

namespace CudaL2Net.Data;

/// <summary>A pair of patches to tell matches from non-matches by.</summary>
/// <param name="First">Index of the first patch.</param>
/// <param name="Second">Index of the second patch.</param>
/// <param name="IsMatch">Whether both show the same point.</param>
public readonly record struct PatchPair(int First, int Second, bool IsMatch);

/// <summary>
/// One set of Brown's PhotoTour data (Liberty, Notredame, Yosemite): a folder with <c>patches0000.bmp</c> and so on, each 1024 x 1024 with 16 x 16 patches of
/// 64 x 64 row by row; <c>info.txt</c>, a line a patch: point id, an unused number; and lists of test pairs.
/// </summary>
public sealed class BrownDataset
{
    /// <summary>Rows and columns of a patch.</summary>
    public const int PatchSide = 64;

    /// <summary>The usual list of test pairs: 50,000 matches and 50,000 non-matches.</summary>
    public const string DefaultPairs = "m50_100000_100000_0.txt";

    internal const int PatchesPerRow = 16;
    internal const int MosaicSide = PatchesPerRow * PatchSide;
    internal const int PatchesPerMosaic = PatchesPerRow * PatchesPerRow;
    internal const string PointFile = "info.txt";
    internal const string OriginFile = "origin.txt";

    private readonly int[] pointIds;

    private BrownDataset(string folder, int[] pointIds)
    {
        Folder = folder;
        this.pointIds = pointIds;
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The number of patches.</summary>
    public int Count => pointIds.Length;

    /// <summary>[count]: the point that each patch shows.</summary>
    public ReadOnlySpan<int> PointIds => pointIds;

    /// <summary>Whether a folder looks like such a set: it has <c>info.txt</c> or <c>patches0000.bmp</c>.</summary>
    public static bool IsBrownFolder(string folder) => File.Exists(Path.Combine(folder, PointFile)) || File.Exists(MosaicPath(folder, 0));

    /// <summary>Opens a set: reads <c>info.txt</c> and checks that there are as many mosaics as it needs. The mosaics are read later, one at a time.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException"><c>info.txt</c> or a mosaic is missing.</exception>
    /// <exception cref="InvalidDataException">A line is damaged, or there are more mosaics than <c>info.txt</c> has lines for.</exception>
    public static BrownDataset Open(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException(
                $"{folder} does not exist. Name a folder with info.txt and patches0000.bmp and so on, as liberty, notredame or yosemite.");
        }

        string infoPath = Path.Combine(folder, PointFile);
        if (!File.Exists(infoPath))
        {
            string[] sets = [.. FolderWalk.Folders(folder, IsBrownFolder)];
            string advice = sets.Length > 0
                ? $"Did you mean {string.Join(" or ", sets)}?"
                : "Name a folder with info.txt and patches0000.bmp and so on, as liberty, notredame or yosemite.";
            throw new FileNotFoundException($"{folder} is not a Brown set: it has no info.txt. {advice}", infoPath);
        }

        var ids = new List<int>();
        foreach ((string path, int line, string[] fields) in ReadLines(infoPath))
        {
            if (fields.Length != 2)
            {
                throw Damaged(path, line, $"it should have two numbers, point id and an unused one, and has {fields.Length} fields");
            }

            ids.Add(ParseIndex(path, line, fields[0], "point id"));
        }

        int mosaics = (ids.Count + PatchesPerMosaic - 1) / PatchesPerMosaic;
        for (int i = 0; i < mosaics; i++)
        {
            if (!File.Exists(MosaicPath(folder, i)))
            {
                throw new FileNotFoundException(
                    $"{MosaicPath(folder, i)} is missing: the {ids.Count} lines of info.txt need {mosaics} mosaics. Unpack the set again.",
                    MosaicPath(folder, i));
            }
        }

        return File.Exists(MosaicPath(folder, mosaics))
            ? throw new InvalidDataException(
                $"{infoPath} has {ids.Count} lines, enough for {mosaics} mosaics, but there is {MosaicPath(folder, mosaics)}. Unpack the set again.")
            : new BrownDataset(folder, [.. ids]);
    }

    /// <summary>The mosaics' files, in order.</summary>
    internal IReadOnlyList<string> Mosaics =>
        [.. Enumerable.Range(0, (Count + PatchesPerMosaic - 1) / PatchesPerMosaic).Select(i => MosaicPath(Folder, i))];

    /// <summary>Reads the patches one mosaic after the other, in the order of <see cref="PointIds"/>.</summary>
    /// <returns>Blocks of up to 256 patches, [n][64][64].</returns>
    /// <exception cref="InvalidDataException">A mosaic is damaged, or not 1024 x 1024.</exception>
    /// <exception cref="IOException">A mosaic cannot be read.</exception>
    public IEnumerable<byte[]> ReadPatches() => ReadBlocks().Select(block => block.ToArray());

    /// <summary>As <see cref="ReadPatches"/>, but a block lasts only until the next one is read: all of them lie in the same memory.</summary>
    internal IEnumerable<ReadOnlyMemory<byte>> ReadBlocks()
    {
        byte[] mosaic = [], patches = new byte[Math.Min(PatchesPerMosaic, Count) * PatchSide * PatchSide];
        for (int first = 0; first < Count; first += PatchesPerMosaic)
        {
            string path = MosaicPath(Folder, first / PatchesPerMosaic);
            (int width, int height) = BmpFile.ReadGrey(path, ref mosaic);
            if (width != MosaicSide || height != MosaicSide)
            {
                throw new InvalidDataException($"{path} has {width} x {height} pixels; mosaics have {MosaicSide} x {MosaicSide}. Unpack the set again.");
            }

            Memory<byte> block = patches.AsMemory(0, Math.Min(PatchesPerMosaic, Count - first) * PatchSide * PatchSide);
            for (int row = 0; row < block.Length / PatchSide; row++)
            {
                (int patch, int patchRow) = Math.DivRem(row, PatchSide);
                (int gridRow, int gridColumn) = Math.DivRem(patch, PatchesPerRow);
                mosaic.AsSpan((((gridRow * PatchSide) + patchRow) * MosaicSide) + (gridColumn * PatchSide), PatchSide).CopyTo(block.Span[(row * PatchSide)..]);
            }

            yield return block;
        }
    }

    /// <summary>Loads all patches, reduced to 32 x 32; patch i is line i of <c>info.txt</c>. For tests.</summary>
    /// <param name="parts">What is kept besides the reduced patches.</param>
    /// <exception cref="InvalidDataException">A mosaic is damaged, or not 1024 x 1024.</exception>
    /// <exception cref="IOException">A mosaic cannot be read.</exception>
    public PatchSet Load(PatchParts parts = PatchParts.None) => Load(parts, skipNearUniform: false).Patches;

    /// <summary>Loads the patches for training, reduced to 32 x 32, without the near-uniform ones.</summary>
    /// <inheritdoc cref="Load(PatchParts)"/>
    public LabelledPatches LoadForTraining(PatchParts parts = PatchParts.None) => Load(parts, skipNearUniform: true);

    /// <summary>
    /// Reads a list of test pairs, a line a pair: patchID1 3DpointID1 unused1 patchID2 3DpointID2 unused2 unused3; a match iff the point ids are equal.
    /// </summary>
    /// <param name="fileName">The list, in <see cref="Folder"/>.</param>
    /// <exception cref="FileNotFoundException">There is no such list.</exception>
    /// <exception cref="InvalidDataException">A line is damaged, names a patch that is not there, or does not agree with <c>info.txt</c>; or the list is
    /// empty.</exception>
    public PatchPair[] ReadPairs(string fileName = DefaultPairs)
    {
        var pairs = new List<PatchPair>();
        foreach ((string path, int line, string[] fields) in ReadLines(Path.Combine(Folder, fileName)))
        {
            if (fields.Length is not (6 or 7))
            {
                throw Damaged(path, line, $"it should have seven numbers (patch, point, unused, patch, point, unused, unused) and has {fields.Length} fields");
            }

            (int first, int firstPoint) = ParsePatch(fields[0], fields[1]);
            (int second, int secondPoint) = ParsePatch(fields[3], fields[4]);
            pairs.Add(new PatchPair(first, second, firstPoint == secondPoint));

            (int Patch, int Point) ParsePatch(string patchField, string pointField)
            {
                int patch = ParseIndex(path, line, patchField, "patch id"), point = ParseIndex(path, line, pointField, "point id");
                return patch >= Count
                    ? throw Damaged(path, line, $"patch {patch} is not there: the set has {Count} patches")
                    : point == pointIds[patch]
                        ? (patch, point)
                        : throw Damaged(
                            path, line, $"patch {patch} is said to show point {point}, but by {PointFile} it shows {pointIds[patch]}; the files belong to "
                                + "different sets");
            }
        }

        return [.. pairs];
    }

    /// <summary>
    /// The list of test pairs to take where none is named: <see cref="DefaultPairs"/>, else the only file of the form <c>m50_N_N_0.txt</c> in the folder.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such list, or there are several.</exception>
    public string FindPairs()
    {
        if (File.Exists(Path.Combine(Folder, DefaultPairs)))
        {
            return DefaultPairs;
        }

        string[] lists = [.. Directory.EnumerateFiles(Folder, "m50_*_*_0.txt").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        string path = Path.Combine(Folder, DefaultPairs);
        return lists.Length == 1
            ? lists[0]
            : throw new FileNotFoundException(
                lists.Length == 0
                    ? $"{path} is missing, and there is no other list of test pairs (m50_N_N_0.txt). Unpack the set again."
                    : $"{path} is missing, and there are several other lists of test pairs: {string.Join(", ", lists)}. Name one of them with --pairs.",
                path);
    }

    /// <summary>Where the set comes from, in words, if it is not Brown's own: the text of <c>origin.txt</c>; null where there is none.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public string? ReadOrigin()
    {
        string path = Path.Combine(Folder, OriginFile);
        if (!File.Exists(path))
        {
            return null;
        }

        using var reader = new StreamReader(InputFile.Open(path));
        return reader.ReadToEnd().Trim();
    }

    internal static string MosaicPath(string folder, int index) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"patches{index:D4}.bmp"));

    private static IEnumerable<(string Path, int Line, string[] Fields)> ReadLines(string path)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        int line = 0, firstBlank = 0;
        bool any = false;
        while (reader.ReadLine() is { } text)
        {
            line++;
            string[] fields = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 0)
            {
                firstBlank = firstBlank == 0 ? line : firstBlank;
                continue;
            }

            if (firstBlank > 0)
            {
                throw Damaged(path, firstBlank, "it is blank");
            }

            any = true;
            yield return (path, line, fields);
        }

        if (!any)
        {
            throw new InvalidDataException($"{path} is empty. Unpack the set again.");
        }
    }

    private static int ParseIndex(string path, int line, string field, string what) =>
        int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : throw Damaged(path, line, $"'{field}' is not a {what}");

    private static InvalidDataException Damaged(string path, int line, string reason) => new($"{path}, line {line}: {reason}. Unpack the set again.");

    private LabelledPatches Load(PatchParts parts, bool skipNearUniform)
    {
        if (Count > PatchSetBuilder.MaxCount(parts))
        {
            throw new InvalidDataException($"{Folder} has {Count} patches; {PatchSetBuilder.MaxCount(parts)} fit into one set"
                + (parts.HasFlag(PatchParts.Large) ? " at 64 x 64 pixels. Take a network that needs 32 x 32, or a smaller set." : string.Empty));
        }

        using var builder = new PatchSetBuilder(parts);
        int index = 0;
        foreach (ReadOnlyMemory<byte> block in ReadBlocks())
        {
            for (int offset = 0; offset < block.Length; offset += PatchSide * PatchSide)
            {
                builder.Add(block.Span.Slice(offset, PatchSide * PatchSide), PatchSide, pointIds[index++], skipNearUniform);
            }
        }

        return new LabelledPatches(builder.Build(), builder.NearUniform, Thinned: 0);
    }
}
