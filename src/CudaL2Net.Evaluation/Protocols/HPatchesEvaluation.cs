using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// HPatches (Balntas, Lenc, Vedaldi and Mikolajczyk, CVPR 2017): verification, matching and retrieval by the rules of its python code, at the three levels of
/// noise e (easy), h (hard) and t (tough), which are always scored apart.
/// </summary>
/// <param name="data">The data.</param>
/// <param name="device">Where nearest descriptors are searched.</param>
/// <param name="options">What to evaluate.</param>
public sealed class HPatchesEvaluation(HPatchesDataset data, Device device, HPatchesOptions options)
{
    /// <summary>The levels of noise, in the order of all tables.</summary>
    public static readonly IReadOnlyList<string> Levels = ["easy", "hard", "tough"];

    /// <summary>The python code's average precision in words.</summary>
    internal const string PythonAp =
        "average precision of HPatches' python code: trapezoids of precision over recall from (0, 1), ties in the order of the list";

    /// <summary>The MATLAB code's average precision in words.</summary>
    internal const string MatlabAp = "average precision of HPatches' MATLAB code: 1/P times the sum of the precision at each right answer";

    /// <summary>Strips of each level: five images.</summary>
    internal const int Images = 5;

    /// <summary>Evaluates methods.</summary>
    /// <param name="methods">At least one method; names must differ. Those that score pairs take part in verification alone: a negative score stands for a
    /// distance. <see cref="HPatchesDescriptors"/> are descriptors made before.</param>
    /// <param name="progress">Is told the part that is done, 0 to 1, and what is being done; or null.</param>
    /// <param name="cancellation">Stops between two strips.</param>
    /// <returns>
    /// A summary, then for each task the mean and its parts by level, by kind of sequence and by sequence; curves of verification by level and kind of
    /// negatives.
    /// </returns>
    /// <exception cref="ArgumentException">There is no method, two have one name, or a method scores pairs and verification is not wanted.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public EvaluationRun Evaluate(
        IReadOnlyList<IPatchMethod> methods, Action<double, string>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(methods);
        ResultNames.RequireDistinct(methods.Select(method => method.Name), "method");
        string[] scorers = [.. methods.Where(method => method is IPairScorer).Select(method => method.Name)];
        if (scorers.Length > 0 && !options.Tasks.HasFlag(HPatchesTask.Verification))
        {
            throw new ArgumentException($"{scorers[0]} scores pairs of patches and has no descriptors: of the three tasks it can do verification alone");
        }

        progress?.Invoke(0, "reading the tasks");
        var tasks = new HPatchesTasks(data, options.Split);
        foreach (HPatchesDescriptors files in methods.OfType<HPatchesDescriptors>())
        {
            files.RequireAll(tasks.Sequences);
        }

        (VerificationPairs? pairs, RetrievalTask? retrieval) = Draw(tasks, forDescribers: scorers.Length < methods.Count);
        var tallies = new List<Tally>();
        try
        {
            tallies.AddRange(methods.Select(method => new Tally(
                method,
                pairs is null ? null : new HPatchesVerification(method, tasks, pairs, options.MemoryLimit, device.Threads),
                options.Tasks.HasFlag(HPatchesTask.Matching) && method is not IPairScorer ? new HPatchesMatching(device, tasks) : null,
                retrieval is null || method is IPairScorer ? null : new HPatchesRetrieval(PairMeasure.Of(method), tasks, retrieval, device.Threads))));
            Describe(tasks, tallies, progress, cancellation);
            for (int m = 0; m < tallies.Count; m++)
            {
                progress?.Invoke(DescribingShare + ((1 - DescribingShare) * m / tallies.Count), $"{methods[m].Name}: verification, retrieval");
                tallies[m].Verification?.Finish(cancellation);
                tallies[m].Retrieval?.Finish();
            }

            return Result(tasks, pairs, retrieval, tallies);
        }
        finally
        {
            foreach (Tally tally in tallies)
            {
                tally.Verification?.Dispose();
            }
        }
    }

    /// <summary>Throws what <see cref="Evaluate"/> would throw about the tasks: to be asked before models are trained for them.</summary>
    /// <exception cref="IOException">A file cannot be read, or is not there.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the data have too few patches for a task.</exception>
    internal void Check() => Draw(new HPatchesTasks(data, options.Split), forDescribers: true);

    // What the tasks ask for; null for those that are not wanted. Scores of pairs need no retrieval.
    private (VerificationPairs? Pairs, RetrievalTask? Retrieval) Draw(HPatchesTasks tasks, bool forDescribers) =>
    (
        options.Tasks.HasFlag(HPatchesTask.Verification) ? tasks.Verification(options.Pairs) : null,
        options.Tasks.HasFlag(HPatchesTask.Retrieval) && forDescribers ? tasks.Retrieval(options.Queries, options.Distractors) : null
    );

    // The share of describing in the whole, for the display of progress.
    private const double DescribingShare = 0.9;

    private void Describe(HPatchesTasks tasks, List<Tally> tallies, Action<double, string>? progress, CancellationToken cancellation)
    {
        IReadOnlyList<string> strips = HPatchesDataset.StripNames;
        long total = tasks.Rows.Sum(rows => (long)rows) * strips.Count * tallies.Count, done = 0;
        for (int s = 0; s < tasks.Sequences.Count; s++)
        {
            DescriptorSet[][] described = [.. tallies.Select(_ => new DescriptorSet[strips.Count])];
            for (int strip = 0; strip < strips.Count; strip++)
            {
                PatchStrip patches = data.ReadStrip(tasks.Sequences[s], strips[strip], tasks.Rows[s]);
                for (int m = 0; m < tallies.Count; m++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    described[m][strip] = tallies[m].Method switch
                    {
                        IPatchDescriber describer => describer.Describe(patches.Pixels, patches.Side),
                        HPatchesDescriptors files => files.Read(tasks.Sequences[s], strips[strip], tasks.Rows[s]),
                        _ => tallies[m].Verification!.Keep(patches),
                    };
                    done += patches.Count;
                    progress?.Invoke(DescribingShare * done / total, $"{tasks.Sequences[s]}, {tallies[m].Method.Name}");
                }
            }

            for (int m = 0; m < tallies.Count; m++)
            {
                tallies[m].Verification?.Add(s, described[m]);
                tallies[m].Matching?.Add(s, described[m]);
                tallies[m].Retrieval?.Add(s, described[m]);
            }

            ReturnMemory();
        }
    }

    /// <summary>Lets go of large arrays that are no longer used: left alone, the collector would wait until there are gigabytes of them.</summary>
    internal static void ReturnMemory() => GC.Collect();

    private EvaluationRun Result(HPatchesTasks tasks, VerificationPairs? pairs, RetrievalTask? retrieval, List<Tally> tallies)
    {
        var settings = new Dictionary<string, string> { ["split"] = $"{options.Split}, {tasks.Sequences.Count} test sequences" };
        var tables = new List<ScoreTable>();
        var means = new List<(string Task, double?[] Scores)>();
        if (pairs is not null)
        {
            settings["verification pairs"] = pairs.Source;
            tables.AddRange(HPatchesVerification.Tables([.. tallies.Select(tally => tally.Verification!)]));
            means.Add(("verification", [.. tallies.Select(tally => (double?)tally.Verification!.Mean)]));
        }

        Tally[] describers = [.. tallies.Where(tally => tally.Method is not IPairScorer)];
        if (options.Tasks.HasFlag(HPatchesTask.Matching) && describers.Length > 0)
        {
            tables.AddRange(HPatchesMatching.Tables(tasks, [.. describers.Select(tally => (tally.Method.Name, tally.Matching!))]));
            means.Add(("matching", [.. tallies.Select(tally => tally.Matching?.Mean)]));
        }

        if (retrieval is not null && describers.Length > 0)
        {
            settings["retrieval patches"] = retrieval.Source;
            tables.AddRange(HPatchesRetrieval.Tables([.. describers.Select(tally => tally.Retrieval!)]));
            means.Add(("retrieval", [.. tallies.Select(tally => tally.Retrieval?.Mean)]));
        }

        string[] scorers = [.. tallies.Except(describers).Select(tally => tally.Method.Name)];
        if (scorers.Length > 0 && options.Tasks != HPatchesTask.Verification)
        {
            settings["left out"] = $"matching and retrieval of {string.Join(", ", scorers)}: they need descriptors, and a network that scores pairs has none";
        }

        var summary = new ScoreTable(
            "HPatches, mAP",
            $"means over the levels easy, hard and tough, verification also over both kinds of negatives; {PythonAp}",
            true,
            ScoreUnit.Percent,
            [.. means.Select(mean => mean.Task)],
            [.. tallies.Select((tally, m) => new ScoreRow(tally.Method.Name, [.. means.Select(mean => mean.Scores[m])]))]);
        return new EvaluationRun(
            "hpatches",
            data.Folder,
            settings,
            [.. tallies.Select(tally => PairMeasure.Of(tally.Method))],
            [summary, .. tables],
            [.. tallies.SelectMany(tally => tally.Verification?.Curves ?? [])]);
    }

    private sealed record Tally(
        IPatchMethod Method, HPatchesVerification? Verification, HPatchesMatching? Matching, HPatchesRetrieval? Retrieval);
}
