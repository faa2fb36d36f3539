using System.Diagnostics;
using System.Globalization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Pipelines.Hloc;
using CudaL2Net.Pipelines.Images;
using Spectre.Console;

namespace CudaL2Net.Cli.Runs;

/// <summary>What <c>describe</c> does where its output is a file of features (.h5): many images.</summary>
internal static class DescribeImages
{
    private sealed record Result(
        string Features, int Images, int DoneBefore, long Keypoints, int FailedImages, IReadOnlyList<string> Failures, double ImagesPerSecond, string? Unfinished);

    /// <summary>Whether an output is a file of features.</summary>
    public static bool IsFeatures(string output) => output.EndsWith(".h5", StringComparison.OrdinalIgnoreCase);

    /// <summary>The places that are written.</summary>
    public static IEnumerable<OutputPlace> PlacesOf(string output) => [OutputPlace.File(output), OutputPlace.Tree(Parts.FolderOf(output))];

    /// <summary>Describes the images that a text names.</summary>
    /// <param name="input">What <see cref="ImageEntry.Find"/> takes.</param>
    /// <param name="output">The file.</param>
    /// <param name="method">The descriptor.</param>
    /// <param name="options">How.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="unfinished">What is unfinished about the model, or null.</param>
    /// <param name="terminal">Where progress and results go.</param>
    public static int Run(string input, string output, IPatchDescriber method, FeatureOptions options, Device device, string? unfinished, Terminal terminal)
    {
        (IReadOnlyList<ImageEntry> images, IReadOnlyList<string> notes) = ImageEntry.Find(input);
        foreach (string note in notes)
        {
            terminal.Say(note);
        }

        using var interrupt = new Interrupt(terminal, "stopping; the same command goes on from here (Ctrl-C again leaves at once)");
        var watch = Stopwatch.StartNew();
        FeatureReport report = OrUsage(() => terminal.WithProgress($"{images.Count} images", share => new FeatureRun(method, device.Threads).Run(
            images, output, options, new Reporter<(int Done, int Total)>(at => share((double)at.Done / at.Total, string.Create(
                CultureInfo.InvariantCulture, $"{at.Done}/{at.Total}, {at.Done / watch.Elapsed.TotalSeconds:0.0} images/s"))), interrupt.Token)));
        foreach (string fault in report.Faults)
        {
            terminal.Say($"left out: {fault}");
        }

        var result = new Result(output, report.Images, report.Before, report.Keypoints, report.Faults.Count, report.Faults,
            Math.Round(report.Images / watch.Elapsed.TotalSeconds, 2), unfinished);
        terminal.Result(result, console => console.WriteLine(
            $"{result.Images + result.DoneBefore} images with {result.Keypoints} keypoints"
            + (result.DoneBefore > 0 ? $", {result.DoneBefore} were done before" : string.Empty)
            + (result.FailedImages > 0 ? $", {result.FailedImages} left out" : string.Empty) + $": {output}"));
        return 0;
    }

    /// <summary>Does a step; parts of other settings, which it then does not mix with its own, are a usage error.</summary>
    public static T OrUsage<T>(Func<T> step)
    {
        try
        {
            return step();
        }
        catch (OtherSettingsException error)
        {
            throw new UsageException(error.Message, "--force begins anew");
        }
    }
}
