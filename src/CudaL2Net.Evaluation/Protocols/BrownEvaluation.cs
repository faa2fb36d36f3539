using CudaL2Net.Data;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>Verification on Brown's PhotoTour data (Brown, Hua and Winder, PAMI 2011): tell the pairs of patches that match from those that do not.</summary>
public static class BrownEvaluation
{
    /// <summary>FPR95 in words.</summary>
    public const string Fpr95Definition =
        "false positive rate at 95% recall (HardNet's definition): non-matches before the first position of a stable sort by distance at which the matches "
            + "up to and with it are at least 95% of all matches, over all non-matches";

    private const string AucDefinition = "area under the ROC curve, ties counted half";
    private const string PrecisionDefinition =
        "average precision: area under precision over recall by the trapezoid rule, ties in the order of the list of pairs";

    /// <summary>The sets of a folder: itself where it is a Brown set, else the folders in it that are, by name.</summary>
    /// <param name="folder">A set's folder, or a folder of such folders.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">A set has a file missing, or it cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static IReadOnlyList<BrownDataset> OpenAll(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        IReadOnlyList<string> inside = Directory.Exists(folder) && !BrownDataset.IsBrownFolder(folder)
            ? FolderWalk.Folders(folder, BrownDataset.IsBrownFolder)
            : [];
        return inside.Count > 0 ? [.. inside.Select(BrownDataset.Open)] : [BrownDataset.Open(folder)];
    }

    /// <summary>A set's name: its folder's.</summary>
    public static string NameOf(BrownDataset set)
    {
        ArgumentNullException.ThrowIfNull(set);
        return Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(set.Folder)));
    }

    /// <summary>Evaluates methods on the pairs of sets.</summary>
    /// <param name="sets">At least one set; names must differ.</param>
    /// <param name="methods">At least one method, of descriptors or of scores of pairs; names must differ. A negative score stands for a distance.</param>
    /// <param name="pairList">The list of pairs in each set's folder; null for what <see cref="BrownDataset.FindPairs"/> finds.</param>
    /// <param name="progress">Is told the part that is done, 0 to 1, and what is being done; or null.</param>
    /// <param name="examples">The most hardest matches, and closest non-matches, to keep of each method and set with their patches.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <param name="cancellation">Stops between two mosaics.</param>
    /// <returns>FPR95, AUC and AP, a column a set and their mean; a curve for each method and set.</returns>
    /// <exception cref="ArgumentException">There is nothing to evaluate, or two sets or methods have one name.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or a list has no matches or no non-matches.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EvaluationRun Evaluate(
        IReadOnlyList<BrownDataset> sets,
        IReadOnlyList<IPatchMethod> methods,
        string? pairList = null,
        Action<double, string>? progress = null,
        int examples = 0,
        int threads = 0,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sets);
        ArgumentNullException.ThrowIfNull(methods);
        string[] names = [.. sets.Select(NameOf)];
        ResultNames.RequireDistinct(names, "set");
        ResultNames.RequireDistinct(methods.Select(method => method.Name), "method");

        var curves = new List<VerificationCurve>();
        var galleries = new List<PairGallery>();
        string[] lists = [.. sets.Select(set => pairList ?? set.FindPairs())];
        int done = 0;
        for (int s = 0; s < sets.Count; s++)
        {
            PatchPair[] pairs = sets[s].ReadPairs(lists[s]);
            bool[] matches = Array.ConvertAll(pairs, pair => pair.IsMatch);
            if (!matches.Contains(true) || !matches.Contains(false))
            {
                throw new InvalidDataException(
                    $"{Path.Combine(sets[s].Folder, lists[s])} has no {(matches.Contains(true) ? "non-" : "")}matches; name another list");
            }

            var chosen = new List<(string Method, float[] Distances, int[] HardestMatches, int[] ClosestNonMatches)>();
            foreach (IPatchMethod method in methods)
            {
                double before = done++;
                string what = $"{method.Name} on {names[s]}";
                float[] distances = Distances(
                    sets[s], pairs, new PairMeasure(method, new Parallelism(threads)), part =>
                        progress?.Invoke((before + part) / (sets.Count * methods.Count), what),
                    cancellation);
                curves.Add(VerificationCurve.FromDistances(method.Name, names[s], distances, matches));
                (int[] hardest, int[] closest) = PairGallery.Choose(distances, matches, examples);
                chosen.Add((method.Name, distances, hardest, closest));
            }

            if (examples > 0)
            {
                int[] shown = [.. chosen.SelectMany(choice => choice.HardestMatches.Concat(choice.ClosestNonMatches))];
                Dictionary<int, byte[]> patches = ReadPatches(sets[s], [.. shown.SelectMany(i => new[] { pairs[i].First, pairs[i].Second })]);
                galleries.AddRange(chosen.Select(choice => new PairGallery(
                    choice.Method,
                    names[s],
                    BrownDataset.PatchSide,
                    [.. choice.HardestMatches.Select(i => Example(i, choice.Distances))],
                    [.. choice.ClosestNonMatches.Select(i => Example(i, choice.Distances))])));

                PairExample Example(int i, float[] distances) => new(distances[i], patches[pairs[i].First], patches[pairs[i].Second]);
            }
        }

        return new EvaluationRun(
            "brown",
            sets.Count == 1 ? sets[0].Folder : Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(sets[0].Folder)))!,
            Settings(sets, lists),
            [.. methods.Select(PairMeasure.Of)],
            [
                Table("FPR95", Fpr95Definition, false, ScoreUnit.Percent, roc => roc.Fpr95),
                Table("AUC", AucDefinition, true, ScoreUnit.Fraction, roc => roc.Auc),
                Table("AP", PrecisionDefinition, true, ScoreUnit.Fraction, roc => roc.AveragePrecision),
            ],
            [.. methods.SelectMany(method => curves.Where(curve => curve.Method == method.Name))])
        {
            Galleries = [.. methods.SelectMany(method => galleries.Where(gallery => gallery.Method == method.Name))],
        };

        ScoreTable Table(string title, string measure, bool higherIsBetter, ScoreUnit unit, Func<RocCurve, double> score)
        {
            ScoreRow[] rows = [.. methods.Select(method =>
            {
                double[] values = [.. curves.Where(curve => curve.Method == method.Name).Select(curve => score(curve.Roc))];
                return new ScoreRow(method.Name, [.. values, values.Average()]);
            })];
            return new ScoreTable(title, measure, higherIsBetter, unit, [.. names, "mean"], rows);
        }
    }

    private static Dictionary<string, string> Settings(IReadOnlyList<BrownDataset> sets, string[] lists)
    {
        var settings = new Dictionary<string, string> { ["pairs"] = string.Join(", ", lists.Distinct()) };
        string[] origins = [.. sets.Select(set => set.ReadOrigin()).OfType<string>().Distinct()];
        if (origins.Length > 0)
        {
            settings[EvaluationRun.DataNote] = string.Join(" ", origins);
        }

        return settings;
    }

    private static Dictionary<int, byte[]> ReadPatches(BrownDataset set, HashSet<int> wanted)
    {
        const int Area = BrownDataset.PatchSide * BrownDataset.PatchSide;
        var patches = new Dictionary<int, byte[]>();
        int index = 0;
        foreach (ReadOnlyMemory<byte> block in set.ReadBlocks())
        {
            for (int offset = 0; offset < block.Length; offset += Area, index++)
            {
                if (wanted.Contains(index))
                {
                    patches[index] = block.Slice(offset, Area).ToArray();
                }
            }

            if (patches.Count == wanted.Count)
            {
                break;
            }
        }

        return patches;
    }

    // Only the patches that the pairs name are taken, a mosaic at a time.
    private static float[] Distances(BrownDataset set, PatchPair[] pairs, PairMeasure method, Action<double> progress, CancellationToken cancellation)
    {
        const int Side = BrownDataset.PatchSide, Area = Side * Side;
        var named = new bool[set.Count];
        foreach (PatchPair pair in pairs)
        {
            named[pair.First] = named[pair.Second] = true;
        }

        var row = new int[set.Count];
        int used = 0;
        for (int i = 0; i < row.Length; i++)
        {
            row[i] = named[i] ? used++ : -1;
        }

        (int Dimension, bool IsBinary) kept = method.Kept(Side);
        var builder = new DescriptorSetBuilder(used, kept.Dimension, kept.IsBinary);
        int patch = 0;
        byte[] wanted = new byte[BrownDataset.PatchesPerMosaic * Area];
        foreach (ReadOnlyMemory<byte> block in set.ReadBlocks())
        {
            cancellation.ThrowIfCancellationRequested();
            int length = 0;
            for (int offset = 0; offset < block.Length; offset += Area, patch++)
            {
                if (named[patch])
                {
                    block.Span.Slice(offset, Area).CopyTo(wanted.AsSpan(length));
                    length += Area;
                }
            }

            builder.Add(method.Keep(wanted.AsSpan(0, length), Side));
            progress((double)patch / set.Count);
        }

        DescriptorSet descriptors = builder.Build();
        var distances = new float[pairs.Length];
        method.Measure(
            pairs.Length,
            i => new KeptPair(descriptors, row[pairs[i].First], descriptors, row[pairs[i].Second]),
            (i, distance) => distances[i] = distance,
            cancellation);
        return distances;
    }
}
