using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// One method's verification task. Pairs of one sequence are measured while its descriptors are in memory; they then wait in a temporary file for the pairs of
/// two sequences, which are measured group of sequences by group.
/// </summary>
internal sealed class HPatchesVerification : IDisposable
{
    private const string Imbalanced = "all negatives and the first fifth of the matches";

    // ref and the first four images of a level: the fifth one takes no part.
    private const int Strips = HPatchesEvaluation.Images;

    private static readonly string[] Kinds = ["intra", "inter"];

    private readonly PairMeasure method;
    private readonly HPatchesTasks tasks;
    private readonly VerificationPairs pairs;
    private readonly long memoryLimit;
    private readonly float[][] matches;
    private readonly float[][][] negatives;
    private readonly int[][][] bySequence;
    private readonly Dictionary<(int Level, int Kind), Scores> scores = [];
    private DescriptorStore? store;

    public HPatchesVerification(IPatchMethod method, HPatchesTasks tasks, VerificationPairs pairs, long memoryLimit, int threads)
    {
        this.method = new PairMeasure(method, new Parallelism(threads));
        this.tasks = tasks;
        this.pairs = pairs;
        this.memoryLimit = memoryLimit;
        matches = Distances(pairs.Matches.Length);
        negatives = [Distances(pairs.IntraNegatives.Length), Distances(pairs.InterNegatives.Length)];
        bySequence = [BySequence(pairs.Matches), BySequence(pairs.IntraNegatives)];

        static float[][] Distances(int count) => [.. HPatchesEvaluation.Levels.Select(_ => new float[count])];
    }

    /// <summary>The mean over levels and kinds of negatives: the figure that is quoted.</summary>
    public double Mean => scores.Values.Average(score => score.Python);

    /// <summary>Curves by level and kind of negatives.</summary>
    public IReadOnlyList<VerificationCurve> Curves { get; private set; } = [];

    /// <summary>The tables of all methods.</summary>
    public static IEnumerable<ScoreTable> Tables(IReadOnlyList<HPatchesVerification> all)
    {
        (int Level, int Kind)[] cells = [.. from level in Enumerable.Range(0, 3) from kind in Enumerable.Range(0, 2) select (level, kind)];
        string[] columns = [.. cells.Select(cell => $"{HPatchesEvaluation.Levels[cell.Level]} {Kinds[cell.Kind]}"), "mean"];
        yield return Table("verification, mAP", $"{Imbalanced}; {HPatchesEvaluation.PythonAp}", score => score.Python);
        yield return Table("verification, mAP (MATLAB)", $"{Imbalanced}; {HPatchesEvaluation.MatlabAp}", score => score.Matlab);
        yield return Table("verification, AUC", "as many matches as negatives; area under the ROC curve, ties counted half", score => score.Auc);
        yield return Table(
            "verification, mAP, illum", $"pairs whose first patch is of a sequence with changing light; {Imbalanced}; {HPatchesEvaluation.PythonAp}",
            score => score.Illumination);
        yield return Table(
            "verification, mAP, view", $"pairs whose first patch is of a sequence with changing viewpoint; {Imbalanced}; {HPatchesEvaluation.PythonAp}",
            score => score.Viewpoint);

        ScoreTable Table(string title, string measure, Func<Scores, double?> value)
        {
            IEnumerable<ScoreRow> rows = all.Select(one =>
            {
                double?[] values = [.. cells.Select(cell => value(one.scores[cell]))];
                return new ScoreRow(one.method.Name, [.. values, values.Average()]);
            });
            return new ScoreTable(title, measure, true, ScoreUnit.Percent, columns, [.. rows]);
        }
    }

    /// <summary>What is kept of a strip's patches.</summary>
    public DescriptorSet Keep(PatchStrip strip) => method.Keep(strip.Pixels, strip.Side);

    /// <summary>Measures the pairs of one sequence and puts what is kept of its patches aside.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strips">Its descriptors, or what else is kept, by strip: ref, e1..e5, h1..h5, t1..t5.</param>
    /// <exception cref="InvalidDataException">The method scores pairs, and the strips have patches of several sizes.</exception>
    public void Add(int sequence, DescriptorSet[] strips)
    {
        store ??= new DescriptorStore(strips[0].Dimension, strips[0].Bits is not null);
        if (strips.Any(strip => strip.Dimension != store.Dimension))
        {
            throw new InvalidDataException($"{method.Name} compares patches of one size, and the strips of the sequence {tasks.Sequences[sequence]} have others");
        }

        for (int level = 0; level < HPatchesEvaluation.Levels.Count; level++)
        {
            DescriptorSet[] images = [strips[0], .. strips.Skip(1 + (level * HPatchesEvaluation.Images)).Take(HPatchesEvaluation.Images)];
            Measure(bySequence[0][sequence], pairs.Matches, matches[level]);
            Measure(bySequence[1][sequence], pairs.IntraNegatives, negatives[0][level]);

            void Measure(int[] taken, HPatchesPair[] list, float[] distances) =>
                method.Measure(taken.Length, i => Kept(images, images, list[taken[i]]), (i, distance) => distances[taken[i]] = distance);
        }

        for (int strip = 0; strip < strips.Length; strip++)
        {
            store.Write(sequence, strip, strips[strip]);
        }
    }

    /// <summary>Measures the pairs of two sequences and scores.</summary>
    public void Finish(CancellationToken cancellation)
    {
        int[] group = Groups();
        int groups = group.Max() + 1;
        for (int level = 0; level < HPatchesEvaluation.Levels.Count; level++)
        {
            for (int a = 0; a < groups; a++)
            {
                HPatchesEvaluation.ReturnMemory();
                DescriptorSet[]?[] images = new DescriptorSet[tasks.Sequences.Count][];
                Load(images, level, group, a);
                for (int b = a; b < groups; b++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Load(images, level, group, b);
                    float[] distances = negatives[1][level];
                    int[] taken = [.. Enumerable.Range(0, distances.Length).Where(i => IsBetween(pairs.InterNegatives[i], group, a, b))];
                    method.Measure(
                        taken.Length,
                        i => Kept(images[pairs.InterNegatives[taken[i]].First.Sequence]!, images[pairs.InterNegatives[taken[i]].Second.Sequence]!,
                            pairs.InterNegatives[taken[i]]),
                        (i, distance) => distances[taken[i]] = distance,
                        cancellation);
                    for (int s = 0; b > a && s < group.Length; s++)
                    {
                        images[s] = group[s] == b ? null : images[s];
                    }

                    HPatchesEvaluation.ReturnMemory();
                }
            }
        }

        var curves = new List<VerificationCurve>();
        for (int level = 0; level < HPatchesEvaluation.Levels.Count; level++)
        {
            for (int kind = 0; kind < Kinds.Length; kind++)
            {
                HPatchesEvaluation.ReturnMemory();
                curves.Add(Score(level, kind));
            }
        }

        Curves = curves;
    }

    public void Dispose() => store?.Dispose();

    private static KeptPair Kept(DescriptorSet[] first, DescriptorSet[] second, HPatchesPair pair) =>
        new(first[pair.First.Image], pair.First.Row, second[pair.Second.Image], pair.Second.Row);

    // Whether one patch is of a sequence of the first group and the other of the second.
    private static bool IsBetween(HPatchesPair pair, int[] group, int low, int high)
    {
        (int first, int second) = (group[pair.First.Sequence], group[pair.Second.Sequence]);
        return Math.Min(first, second) == low && Math.Max(first, second) == high;
    }

    private int[][] BySequence(HPatchesPair[] list)
    {
        var places = new List<int>[tasks.Sequences.Count];
        for (int s = 0; s < places.Length; s++)
        {
            places[s] = [];
        }

        for (int i = 0; i < list.Length; i++)
        {
            if (list[i].First.Sequence != list[i].Second.Sequence)
            {
                throw new InvalidDataException(
                    $"pair {i + 1} of the matches or intra-sequence negatives has patches of two sequences; download the task files again");
            }

            places[list[i].First.Sequence].Add(i);
        }

        return [.. places.Select(place => place.ToArray())];
    }

    // Groups of which two fit into memory at once; usually there is one.
    private int[] Groups()
    {
        long[] bytes = [.. tasks.Rows.Select(rows => rows * (long)(Strips + 1) * store!.BytesPerDescriptor)];
        bool one = bytes.Sum() <= memoryLimit;
        var group = new int[bytes.Length];
        long filled = 0;
        for (int s = 0; s < group.Length; s++)
        {
            group[s] = s == 0 ? 0 : group[s - 1];
            if (!one && filled > 0 && filled + bytes[s] > memoryLimit / 2)
            {
                group[s]++;
                filled = 0;
            }

            filled += bytes[s];
        }

        return group;
    }

    private void Load(DescriptorSet[]?[] images, int level, int[] group, int wanted)
    {
        for (int s = 0; s < images.Length; s++)
        {
            if (group[s] == wanted && images[s] is null)
            {
                IEnumerable<int> strips = Enumerable.Range(1 + (level * HPatchesEvaluation.Images), HPatchesEvaluation.Images).Prepend(0);
                images[s] = [.. strips.Select(strip => store!.Read(s, strip))];
            }
        }
    }

    private VerificationCurve Score(int level, int kind)
    {
        float[] good = matches[level], bad = negatives[kind][level];
        HPatchesPair[] badPairs = kind == 0 ? pairs.IntraNegatives : pairs.InterNegatives;
        int fifth = Math.Max(1, good.Length / 5);

        // The negatives stand first, as in the python code: on ties they win.
        float[] all = [.. bad, .. good], few = [.. bad, .. good.AsSpan(0, fifth)];
        bool[] allLabels = [.. bad.Select(_ => false), .. good.Select(_ => true)], fewLabels = allLabels[..few.Length];
        var curve = VerificationCurve.FromDistances(method.Name, $"{HPatchesEvaluation.Levels[level]}, {Kinds[kind]}-sequence negatives", few, fewLabels);
        scores[(level, kind)] = new Scores(
            curve.Roc.AveragePrecision,
            RankedRetrieval.AveragePrecisionOf(few, fewLabels, fifth, AveragePrecision.Step),
            RocCurve.FromDistances(all, allLabels).Auc,
            Part(illumination: true),
            Part(illumination: false));
        return curve;

        double? Part(bool illumination)
        {
            bool[] wanted = [.. tasks.Sequences.Select(name => HPatchesDataset.IsIllumination(name) == illumination)];
            int[] places = [.. Enumerable.Range(0, few.Length).Where(i => wanted[PairOf(i).First.Sequence])];
            bool[] labels = Array.ConvertAll(places, i => fewLabels[i]);
            int positives = labels.Count(label => label);
            return positives == 0
                ? null
                : RankedRetrieval.AveragePrecisionOf(Array.ConvertAll(places, i => few[i]), labels, positives, AveragePrecision.Trapezoid);
        }

        HPatchesPair PairOf(int i) => i < bad.Length ? badPairs[i] : pairs.Matches[i - bad.Length];
    }

    private sealed record Scores(double Python, double Matlab, double Auc, double? Illumination, double? Viewpoint);
}
