using System.Globalization;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// One method's retrieval task: the five other images of a query among distractors of other sequences. Only the ranks of the five matter, so the distractors
/// that are nearer are counted and no list is sorted.
/// </summary>
internal sealed class HPatchesRetrieval
{
    private const string Rule = "five images of each query among distractors of other sequences";

    private static readonly int[] PoolSizes = [100, 500, 1000, 5000, 10_000, 15_000, 20_000];

    private readonly EvaluatedMethod method;
    private readonly HPatchesTasks tasks;
    private readonly RetrievalTask task;
    private readonly int threads;
    private readonly int perQuery = HPatchesEvaluation.Levels.Count * HPatchesEvaluation.Images;
    private readonly ILookup<int, int> queriesOf;
    private readonly ILookup<int, int> distractorsOf;
    private readonly DescriptorSetBuilder queries;
    private readonly DescriptorSetBuilder distractors;
    private readonly double[] limits;

    // [level][pool size][query], the python and the MATLAB code's.
    private readonly double[][][] python;
    private readonly double[][][] matlab;

    public HPatchesRetrieval(EvaluatedMethod method, HPatchesTasks tasks, RetrievalTask task, int threads)
    {
        this.threads = threads;
        this.method = method;
        this.tasks = tasks;
        this.task = task;
        queriesOf = Enumerable.Range(0, task.Queries.Length).ToLookup(i => task.Queries[i].Sequence);
        distractorsOf = Enumerable.Range(0, task.Distractors.Length).ToLookup(i => task.Distractors[i].Sequence);
        queries = new DescriptorSetBuilder(task.Queries.Length, method.Dimension, method.IsBinary);
        distractors = new DescriptorSetBuilder(task.Distractors.Length, method.Dimension, method.IsBinary);
        limits = new double[task.Queries.Length * perQuery];
        python = Scores();
        matlab = Scores();

        double[][][] Scores() =>
            [.. HPatchesEvaluation.Levels.Select(_ => PoolSizes.Select(_ => new double[task.Queries.Length]).ToArray())];
    }

    /// <summary>The mean over queries and levels among all distractors.</summary>
    public double Mean => python.Average(level => level[^1].Average());

    /// <summary>The tables of all methods.</summary>
    public static IEnumerable<ScoreTable> Tables(IReadOnlyList<HPatchesRetrieval> all)
    {
        string largest = PoolSizes[^1].ToString(CultureInfo.InvariantCulture);
        yield return Overall($"retrieval, mAP among {largest}", HPatchesEvaluation.PythonAp, one => one.python);
        yield return Overall($"retrieval, mAP among {largest} (MATLAB)", HPatchesEvaluation.MatlabAp, one => one.matlab);
        yield return new ScoreTable(
            "retrieval, mAP by pool size",
            $"{Rule}, the first of them up to the given number of patches in all; mean over queries and levels; {HPatchesEvaluation.PythonAp}",
            true,
            ScoreUnit.Percent,
            [.. PoolSizes.Select(size => size.ToString(CultureInfo.InvariantCulture)), "mean"],
            [.. all.Select(one =>
            {
                double?[] values = [.. PoolSizes.Select((_, k) => (double?)one.python.Average(level => level[k].Average()))];
                return new ScoreRow(one.method.Name, [.. values, values.Average()]);
            })]);
        for (int level = 0; level < HPatchesEvaluation.Levels.Count; level++)
        {
            int taken = level;
            yield return new ScoreTable(
                $"retrieval, mAP by sequence, {HPatchesEvaluation.Levels[level]}",
                $"{Rule}, among {largest}, mean over the sequence's queries; {HPatchesEvaluation.PythonAp}",
                true,
                ScoreUnit.Percent,
                [.. all[0].tasks.Sequences, "mean"],
                [.. all.Select(one => new ScoreRow(
                    one.method.Name,
                    [
                        .. one.tasks.Sequences.Select((_, s) => Average(one.python[taken][^1], one.queriesOf[s])),
                        one.python[taken][^1].Average(),
                    ]))],
                IsDetail: true);
        }

        ScoreTable Overall(string title, string measure, Func<HPatchesRetrieval, double[][][]> values) => new(
            title,
            $"{Rule}, mean over queries; {measure}",
            true,
            ScoreUnit.Percent,
            [.. HPatchesEvaluation.Levels, "illum", "view", "mean"],
            [.. all.Select(one =>
            {
                double[][] byLevel = [.. values(one).Select(level => level[^1])];
                return new ScoreRow(one.method.Name, [
                    .. byLevel.Select(level => (double?)level.Average()), one.Kind(byLevel, true), one.Kind(byLevel, false),
                    byLevel.Average(level => level.Average())]);
            })]);
    }

    /// <summary>Takes what is needed of one sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strips">Its descriptors by strip: ref, e1..e5, h1..h5, t1..t5.</param>
    public void Add(int sequence, DescriptorSet[] strips)
    {
        foreach (int query in queriesOf[sequence])
        {
            int row = task.Queries[query].Row;
            queries.Set(query, strips[0], row);
            for (int k = 0; k < perQuery; k++)
            {
                limits[(query * perQuery) + k] = strips[0].Difference(row, strips[1 + k], row);
            }
        }

        foreach (int distractor in distractorsOf[sequence])
        {
            distractors.Set(distractor, strips[0], task.Distractors[distractor].Row);
        }
    }

    /// <summary>Counts and scores, once all sequences were added.</summary>
    public void Finish()
    {
        int[][] ends = [.. Enumerable.Range(0, tasks.Sequences.Count).Select(Ends)];
        int[] nearer = NearerTargets.Count(
            queries.Build(),
            distractors.Build(),
            limits,
            perQuery,
            Array.ConvertAll(task.Queries, query => query.Sequence),
            Array.ConvertAll(task.Distractors, distractor => distractor.Sequence),
            ends,
            threads);
        new Parallelism(threads).For(task.Queries.Length, query =>
        {
            for (int level = 0; level < python.Length; level++)
            {
                int first = (query * perQuery) + (level * HPatchesEvaluation.Images);

                // The five stand before the distractors: on ties they win, so only strictly nearer distractors come before one of them.
                int[] order = [.. Enumerable.Range(first, HPatchesEvaluation.Images).OrderBy(k => limits[k])];
                for (int size = 0; size < PoolSizes.Length; size++)
                {
                    (python[level][size][query], matlab[level][size][query]) = AveragePrecision(order.Select(k => nearer[(k * PoolSizes.Length) + size]));
                }
            }
        });
    }

    // From how many distractors come before each of the right answers, the nearest first.
    private static (double Python, double Matlab) AveragePrecision(IEnumerable<int> distractorsBefore)
    {
        double trapezoid = 0, step = 0;
        int found = 0;
        foreach (int wrong in distractorsBefore)
        {
            int before = found + wrong;
            double precisionBefore = before == 0 ? 1 : (double)found / before, precision = ++found / (before + 1.0);
            trapezoid += (precisionBefore + precision) / 2;
            step += precision;
        }

        return (trapezoid / HPatchesEvaluation.Images, step / HPatchesEvaluation.Images);
    }

    private static double? Average(double[] scores, IEnumerable<int> queries) => queries.Select(query => (double?)scores[query]).Average();

    private double? Kind(double[][] byLevel, bool illumination) => byLevel.Average(level => Average(
        level,
        Enumerable.Range(0, level.Length).Where(query => HPatchesDataset.IsIllumination(tasks.Sequences[task.Queries[query].Sequence]) == illumination)));

    // For queries of a sequence: the rows of distractors at which the pools end. A pool holds the query's five images and the first distractors of other
    // sequences.
    private int[] Ends(int sequence)
    {
        var ends = new int[PoolSizes.Length];
        int others = 0, size = 0;
        for (int row = 0; row < task.Distractors.Length; row++)
        {
            while (size < ends.Length && others == PoolSizes[size] - HPatchesEvaluation.Images)
            {
                ends[size++] = row;
            }

            others += task.Distractors[row].Sequence == sequence ? 0 : 1;
        }

        ends.AsSpan(size).Fill(task.Distractors.Length);
        return ends;
    }
}
