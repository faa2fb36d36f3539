using System.Globalization;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Data;

/// <summary>A patch of HPatches.</summary>
/// <param name="Sequence">The sequence: its place in the list of the split's test sequences.</param>
/// <param name="Image">0 is <c>ref</c>; 1 to 5 are the other images, at the level that is being evaluated.</param>
/// <param name="Row">The patch's row in its strip.</param>
public readonly record struct HPatchesPatch(int Sequence, int Image, int Row);

/// <summary>Two patches of HPatches.</summary>
public readonly record struct HPatchesPair(HPatchesPatch First, HPatchesPatch Second);

/// <summary>The pairs of the verification task.</summary>
/// <param name="Source">Where they come from, in words.</param>
/// <param name="Matches">Two images of a point.</param>
/// <param name="IntraNegatives">Two points of a sequence.</param>
/// <param name="InterNegatives">Points of two sequences, drawn each for itself.</param>
public sealed record VerificationPairs(string Source, HPatchesPair[] Matches, HPatchesPair[] IntraNegatives, HPatchesPair[] InterNegatives);

/// <summary>The patches of the retrieval task, all from <c>ref</c>.</summary>
/// <param name="Source">Where they come from, in words.</param>
/// <param name="Queries">The queries.</param>
/// <param name="Distractors">The patches among which the queries' partners are to be found.</param>
public sealed record RetrievalTask(string Source, HPatchesPatch[] Queries, HPatchesPatch[] Distractors);

/// <summary>
/// The lists of the HPatches benchmark for one split: read from its task files (<c>verif_pos_split-a.csv</c>, <c>retr_queries_split-a.csv</c> and so on)
/// where they are in the data's folder, its <c>tasks</c> or <c>tasks/splits</c>, else drawn again as the benchmark's python code drew them, with NumPy's generator and seed 42.
/// </summary>
public sealed class HPatchesTasks
{
    /// <summary>The seed of the official lists.</summary>
    public const uint Seed = 42;

    /// <summary>Matches, and negatives of each kind, in the official lists.</summary>
    public const int OfficialPairs = 1_000_000;

    /// <summary>Queries in the official lists.</summary>
    public const int OfficialQueries = 10_000;

    /// <summary>Distractors in the official lists.</summary>
    public const int OfficialDistractors = 20_000;

    private const string PairHeader = "s1,t1,idx1,s2,t2,idx2";
    private const string PatchHeader = "s,idx";

    private readonly HPatchesDataset data;
    private readonly string split;
    private readonly Dictionary<string, int> index;

    /// <summary>Looks up a split's test sequences.</summary>
    /// <param name="data">The data.</param>
    /// <param name="split">a, b, c, illum, view or full.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or a sequence of the split is missing.</exception>
    public HPatchesTasks(HPatchesDataset data, string split)
    {
        ArgumentNullException.ThrowIfNull(data);
        this.data = data;
        this.split = split;
        Sequences = data.ReadTestSequences(split);
        index = Enumerable.Range(0, Sequences.Count).ToDictionary(i => Sequences[i]);
        Rows = [.. Sequences.Select(data.ReadRowCount)];
    }

    /// <summary>The split's test sequences.</summary>
    public IReadOnlyList<string> Sequences { get; }

    /// <summary>The patches in each strip of each sequence.</summary>
    public IReadOnlyList<int> Rows { get; }

    /// <summary>The verification task.</summary>
    /// <param name="count">Matches, and negatives of each kind, to draw where there are no files; to take from the files' starts where there are.</param>
    /// <exception cref="IOException">One of the three files is missing, or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or names a patch that is not there; or a sequence has only one patch.</exception>
    public VerificationPairs Verification(int count = OfficialPairs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return Files("verif_pos", "verif_neg_intra", "verif_neg_inter") is [{ } matches, { } intra, { } inter]
            ? new VerificationPairs(
                $"{Path.GetFileName(matches)} and so on", ReadPairs(matches, count), ReadPairs(intra, count), ReadPairs(inter, count))
            : DrawPairs(count);
    }

    /// <summary>The retrieval task.</summary>
    /// <param name="queries">Queries to draw where there are no files.</param>
    /// <param name="distractors">Distractors to draw where there are no files.</param>
    /// <exception cref="IOException">One of the two files is missing, or a strip cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or names a patch that is not there, or a strip is damaged.</exception>
    public RetrievalTask Retrieval(int queries = OfficialQueries, int distractors = OfficialDistractors)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(queries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(distractors, 1);
        return Files("retr_queries", "retr_distractors") is [{ } queryFile, { } distractorFile]
            ? new RetrievalTask($"{Path.GetFileName(queryFile)}, {Path.GetFileName(distractorFile)}", ReadPatches(queryFile), ReadPatches(distractorFile))
            : DrawRetrieval(queries, distractors);
    }

    private string[]? Files(params string[] kinds)
    {
        string[] names = [.. kinds.Select(kind => $"{kind}_split-{split}.csv")];
        string[] paths = [.. names.Select(data.TaskFile).OfType<string>()];
        if (paths.Length == names.Length)
        {
            return paths;
        }

        string missing = names.First(name => data.TaskFile(name) is null);
        return paths.Length == 0
            ? null
            : throw new FileNotFoundException(
                $"{missing} is missing beside {paths[0]}. Download it again, or remove the task files to draw the task anew.", missing);
    }

    private HPatchesPair[] ReadPairs(string path, int most)
    {
        var pairs = new List<HPatchesPair>();
        foreach ((int line, string[] fields) in ReadLines(path, PairHeader))
        {
            if (pairs.Count == most)
            {
                break;
            }

            pairs.Add(new HPatchesPair(Patch(path, line, fields[0], fields[1], fields[2]), Patch(path, line, fields[3], fields[4], fields[5])));
        }

        return [.. pairs];
    }

    private HPatchesPatch[] ReadPatches(string path) => [.. ReadLines(path, PatchHeader).Select(x => Patch(path, x.Line, x.Fields[0], "0", x.Fields[1]))];

    private static IEnumerable<(int Line, string[] Fields)> ReadLines(string path, string header)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        if (reader.ReadLine()?.Trim() != header)
        {
            throw Damaged(path, 1, $"it should be '{header}'");
        }

        int fieldCount = header.Split(',').Length, line = 1;
        while (reader.ReadLine() is { } text)
        {
            line++;
            string[] fields = text.Trim().Split(',');
            yield return fields.Length == fieldCount
                ? (line, fields)
                : throw Damaged(path, line, $"it should have {fieldCount} fields, {header}, and has {fields.Length}");
        }

        if (line == 1)
        {
            throw Damaged(path, 1, "nothing follows it");
        }
    }

    private HPatchesPatch Patch(string path, int line, string name, string imageField, string rowField)
    {
        const int LastImage = 5;
        if (!index.TryGetValue(name, out int sequence))
        {
            throw Damaged(path, line, $"sequence '{name}' is not one of the test sequences of split '{split}'");
        }

        if (!int.TryParse(imageField, NumberStyles.None, CultureInfo.InvariantCulture, out int image) || image > LastImage)
        {
            throw Damaged(path, line, $"'{imageField}' is no image, 0 to {LastImage}");
        }

        return int.TryParse(rowField, NumberStyles.None, CultureInfo.InvariantCulture, out int row) && row < Rows[sequence]
            ? new HPatchesPatch(sequence, image, row)
            : throw Damaged(path, line, $"'{rowField}' is no patch of {name}, which has {Rows[sequence]}");
    }

    private static InvalidDataException Damaged(string path, int line, string reason) => new($"{path}, line {line}: {reason}. Download it again.");

    // In the order of the python code's draws: all sequences of the first patches, then each one's two rows, each one's two images, the other sequences, their
    // rows. Matches and negatives share their first patches.
    private VerificationPairs DrawPairs(int count)
    {
        const int Images = 5;
        int single = Rows.ToList().FindIndex(rows => rows < 2);
        if (single >= 0)
        {
            throw new InvalidDataException($"{Path.Combine(data.Folder, Sequences[single])} has one patch a strip; two are needed to draw pairs");
        }

        var random = new NumpyRandom(Seed);
        int[] items = new int[Math.Max(Images, Rows.Max())];
        int[] sequences = DrawSequences(random, count), otherSequences;
        var rows = new (int First, int Second)[count];
        var images = new (int First, int Second)[count];
        for (int i = 0; i < count; i++)
        {
            rows[i] = random.TwoOf(items.AsSpan(0, Rows[sequences[i]]));
        }

        for (int i = 0; i < count; i++)
        {
            images[i] = random.TwoOf(items.AsSpan(0, Images));
        }

        otherSequences = DrawSequences(random, count);
        int[] otherRows = Array.ConvertAll(otherSequences, sequence => random.UpTo(Rows[sequence] - 1));
        return new VerificationPairs(
            $"drawn as the benchmark's python code does, {count} of each kind, seed {Seed}",
            Pairs(i => (sequences[i], rows[i].First)),
            Pairs(i => (sequences[i], rows[i].Second)),
            Pairs(i => (otherSequences[i], otherRows[i])));

        HPatchesPair[] Pairs(Func<int, (int Sequence, int Row)> second)
        {
            var pairs = new HPatchesPair[count];
            for (int i = 0; i < count; i++)
            {
                (int sequence, int row) = second(i);
                pairs[i] = new HPatchesPair(new(sequences[i], images[i].First, rows[i].First), new(sequence, images[i].Second, row));
            }

            return pairs;
        }
    }

    // Four times the queries and ten times the distractors are drawn; near-uniform patches, what came before, and distractors that are queries fall out.
    private RetrievalTask DrawRetrieval(int queryCount, int distractorCount)
    {
        const int QueryDraws = 4, DistractorDraws = 10;
        var random = new NumpyRandom(Seed);
        HPatchesPatch[] queries = Draw(random, QueryDraws * queryCount), distractors = Draw(random, DistractorDraws * distractorCount);
        HashSet<HPatchesPatch> contrasted = WithContrast(queries.Concat(distractors));
        HPatchesPatch[] taken = [.. queries.Where(contrasted.Contains).Distinct().Take(queryCount)];
        var queried = taken.ToHashSet();
        HPatchesPatch[] others = [.. distractors.Where(patch => contrasted.Contains(patch) && !queried.Contains(patch)).Distinct().Take(distractorCount)];
        return taken.Length > 0 && others.Length > 0
            ? new RetrievalTask(
                $"drawn as the benchmark's python code does, {taken.Length} queries, {others.Length} distractors, seed {Seed}", taken, others)
            : throw new InvalidDataException(
                $"{data.Folder}: the sequences of split '{split}' have too few patches to draw queries and distractors for retrieval; "
                    + "name more sequences or other tasks (verification, matching)");
    }

    private HPatchesPatch[] Draw(NumpyRandom random, int count) =>
        Array.ConvertAll(DrawSequences(random, count), sequence => new HPatchesPatch(sequence, 0, random.UpTo(Rows[sequence] - 1)));

    private int[] DrawSequences(NumpyRandom random, int count)
    {
        var sequences = new int[count];
        foreach (ref int sequence in sequences.AsSpan())
        {
            sequence = random.UpTo(Sequences.Count - 1);
        }

        return sequences;
    }

    // Those with a standard deviation above 10 grey levels.
    private HashSet<HPatchesPatch> WithContrast(IEnumerable<HPatchesPatch> patches)
    {
        const double SmallestDeviation = 10;
        var contrasted = new HashSet<HPatchesPatch>();
        foreach (IGrouping<int, HPatchesPatch> group in patches.Distinct().GroupBy(patch => patch.Sequence))
        {
            PatchStrip strip = data.ReadStrip(Sequences[group.Key], "ref");
            foreach (HPatchesPatch patch in group)
            {
                long sum = 0, squares = 0;
                ReadOnlySpan<byte> pixels = strip[patch.Row];
                foreach (byte pixel in pixels)
                {
                    sum += pixel;
                    squares += pixel * pixel;
                }

                double mean = (double)sum / pixels.Length;
                if (((double)squares / pixels.Length) - (mean * mean) > SmallestDeviation * SmallestDeviation)
                {
                    contrasted.Add(patch);
                }
            }
        }

        return contrasted;
    }
}
