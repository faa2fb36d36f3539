using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.SamplePrograms;

/// <summary>The sample program as a user runs it.</summary>
public sealed partial class OwnPatchesTests
{
    [Test]
    public void TrainsDescribesMatchesAndEvaluates()
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "OwnPatches.exe" : "OwnPatches");
        using var folder = new TemporaryFolder();
        using Process process = Process.Start(new ProcessStartInfo(program, ["cpu"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.Path,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + errors.Result);
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
        Assert.That(Reports().Matches(output).Select(match => Number(match, 1)), Is.EqualTo(new double[] { 20, 40, 60 }), output);
        Match matches = Matches().Match(output), before = Before().Match(output), after = After().Match(output);
        Assert.That(Number(matches, 1), Is.GreaterThan(100), output);
        Assert.That(Number(matches, 2), Is.GreaterThan(0.85 * Number(matches, 1)), output);
        Assert.That(Number(after, 1), Is.LessThan(0.8 * Number(before, 1)), output);
        Assert.That(Number(after, 2), Is.GreaterThan(Number(before, 2)), output);
    }

    [Test]
    public void TheSampleSeesThePublicApiOnly()
    {
        string[] friends = [.. typeof(Trainer).Assembly.GetCustomAttributesData()
            .Where(attribute => attribute.AttributeType.Name == "InternalsVisibleToAttribute")
            .Select(attribute => (string)attribute.ConstructorArguments[0].Value!)];
        Assert.That(friends, Is.Not.Empty.And.Not.Member("OwnPatches"));
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("step ([0-9]+): .+ [0-9.]+; FPR95 [0-9.]+")]
    private static partial Regex Reports();

    [GeneratedRegex("matches: ([0-9]+), right: ([0-9]+)")]
    private static partial Regex Matches();

    [GeneratedRegex("untrained: FPR95 ([0-9.]+), average precision ([0-9.]+)")]
    private static partial Regex Before();

    [GeneratedRegex("\ntrained: FPR95 ([0-9.]+), average precision ([0-9.]+)")]
    private static partial Regex After();
}
