using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>One method's matching task: each patch of <c>ref</c> takes its nearest in each of the other strips; right is the patch of the same row.</summary>
internal sealed class HPatchesMatching(Device device, HPatchesTasks tasks)
{
    private const string Rule = "each patch of ref takes its nearest in the other image, ranked by distance, P the number of patches";

    private readonly DescriptorSearch search = new(device);
    private readonly double[,] python = new double[tasks.Sequences.Count, 3];
    private readonly double[,] matlab = new double[tasks.Sequences.Count, 3];
    private readonly double[,] right = new double[tasks.Sequences.Count, 3];

    /// <summary>The mean over sequences, images and levels.</summary>
    public double Mean => Average(python, All, [0, 1, 2])!.Value;

    private IEnumerable<int> All => Enumerable.Range(0, tasks.Sequences.Count);

    /// <summary>The tables of all methods.</summary>
    public static IEnumerable<ScoreTable> Tables(HPatchesTasks tasks, IReadOnlyList<(string Name, HPatchesMatching Scores)> all)
    {
        yield return Overall("matching, mAP", HPatchesEvaluation.PythonAp, one => one.python);
        yield return Overall("matching, mAP (MATLAB)", HPatchesEvaluation.MatlabAp, one => one.matlab);
        yield return Overall("matching, right", "the share of right answers", one => one.right);
        for (int level = 0; level < HPatchesEvaluation.Levels.Count; level++)
        {
            int taken = level;
            yield return new ScoreTable(
                $"matching, mAP by sequence, {HPatchesEvaluation.Levels[level]}",
                $"{Rule}, mean over five images; {HPatchesEvaluation.PythonAp}",
                true,
                ScoreUnit.Percent,
                [.. tasks.Sequences, "mean"],
                [.. all.Select(one => new ScoreRow(
                    one.Name,
                    [.. one.Scores.All.Select(s => (double?)one.Scores.python[s, taken]), one.Scores.Average(one.Scores.python, one.Scores.All, [taken])]))],
                IsDetail: true);
        }

        ScoreTable Overall(string title, string measure, Func<HPatchesMatching, double[,]> values) => new(
            title, $"{Rule}, mean over sequences and images; {measure}", true, ScoreUnit.Percent, [.. HPatchesEvaluation.Levels, "illum", "view", "mean"],
            [.. all.Select(one => new ScoreRow(one.Name, one.Scores.Row(values(one.Scores))))]);
    }

    /// <summary>Matches one sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strips">Its descriptors by strip: ref, e1..e5, h1..h5, t1..t5.</param>
    public void Add(int sequence, DescriptorSet[] strips)
    {
        for (int strip = 1; strip < strips.Length; strip++)
        {
            DescriptorMatch[] found = search.Nearest(strips[0], strips[strip]);
            float[] distances = Array.ConvertAll(found, match => match.Distance);
            bool[] same = Array.ConvertAll(found, match => match.Query == match.Target);
            int level = (strip - 1) / HPatchesEvaluation.Images;
            python[sequence, level] += Score(AveragePrecision.Trapezoid);
            matlab[sequence, level] += Score(AveragePrecision.Step);
            right[sequence, level] += (double)same.Count(answer => answer) / same.Length / HPatchesEvaluation.Images;

            double Score(AveragePrecision definition) =>
                RankedRetrieval.AveragePrecisionOf(distances, same, same.Length, definition) / HPatchesEvaluation.Images;
        }
    }

    private double?[] Row(double[,] values)
    {
        IEnumerable<int> illumination = All.Where(s => HPatchesDataset.IsIllumination(tasks.Sequences[s]));
        return
        [
            Average(values, All, [0]), Average(values, All, [1]), Average(values, All, [2]),
            Average(values, illumination, [0, 1, 2]), Average(values, All.Except(illumination), [0, 1, 2]), Average(values, All, [0, 1, 2]),
        ];
    }

    private double? Average(double[,] values, IEnumerable<int> sequences, int[] levels) =>
        sequences.SelectMany(s => levels.Select(level => (double?)values[s, level])).Average();
}
