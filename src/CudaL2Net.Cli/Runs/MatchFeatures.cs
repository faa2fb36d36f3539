using System.Diagnostics;
using System.Globalization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Hloc;
using Spectre.Console;

namespace CudaL2Net.Cli.Runs;

/// <summary>What <c>match --features</c> does: many pairs of images.</summary>
internal static class MatchFeatures
{
    private sealed record Result(string MatchFile, long Pairs, long DoneBefore, long Matches, double PairsPerSecond);

    /// <summary>Matches pairs of a file of features.</summary>
    /// <param name="features">The file.</param>
    /// <param name="pairs">What to match with what.</param>
    /// <param name="output">The file to write.</param>
    /// <param name="options">Mutual and ratio test.</param>
    /// <param name="force">Whether what a stopped run left is thrown away.</param>
    /// <param name="device">Where nearest descriptors are searched.</param>
    /// <param name="terminal">Where progress and results go.</param>
    public static int Run(string features, string pairs, string output, MatchOptions options, bool force, Device device, Terminal terminal)
    {
        using var interrupt = new Interrupt(terminal, "stopping; the same command goes on from here (Ctrl-C again leaves at once)");
        var watch = Stopwatch.StartNew();
        MatchReport report = DescribeImages.OrUsage(() => terminal.WithProgress("matching", share => new MatchRun(new DescriptorSearch(device)).Run(
            features, pairs, output, options, force, new Reporter<(long Done, long Total)>(at => share((double)at.Done / at.Total, string.Create(
                CultureInfo.InvariantCulture, $"{at.Done}/{at.Total} pairs, {at.Done / watch.Elapsed.TotalSeconds:0.0} pairs/s"))), interrupt.Token)));
        var result = new Result(output, report.Pairs, report.Before, report.Matches, Math.Round((report.Pairs - report.Before) / watch.Elapsed.TotalSeconds, 2));
        terminal.Result(result, console => console.WriteLine(
            $"{result.Pairs} pairs with {result.Matches} matches" + (result.DoneBefore > 0 ? $", {result.DoneBefore} were done before" : string.Empty) + $": {output}"));
        return 0;
    }
}
