using System.Diagnostics;
using System.Text.RegularExpressions;

namespace CudaL2Net.Tests.Faults;

/// <summary>Damaged files for every reader: tests/fuzz, a program of its own.</summary>
public sealed partial class FuzzTests
{
    [Test]
    public void TenThousandDamagedFilesAreRefusedByNameOrRead()
    {
        (int code, string output) = Run("--count", "10000");
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Contain("0 failed"));
    }

    [TestCase("planted-throws", "InvalidCastException")]
    [TestCase("planted-unnamed", "does not name the file")]
    [TestCase("planted-careless", "was not noticed")]
    [TestCase("planted-greedy", "MB of memory")]
    [TestCase("planted-dies", "the process died")]
    public void APlantedFaultIsFoundAndReplays(string reader, string word)
    {
        using var folder = new TemporaryFolder();
        (int code, string output) = Run("--count", "12", "--reader", reader, "--out", folder.Path);
        string number = Case().Match(output).Groups["case"].Value;
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output, Does.Contain(word).And.Contain($"--seed 1 --reader {reader} --case {number} ").And.Not.Contain(" 0 failed"));
        Assert.That(File.Exists(folder[$"{reader}-1-{number}.txt"]), output);
        if (reader != "planted-dies")
        {
            (code, output) = Run("--seed", "1", "--reader", reader, "--case", number, "--out", folder.Path);
            Assert.That(code, Is.EqualTo(1), output);
            Assert.That(output, Does.Contain(word));
        }
    }

    private static (int Code, string Output) Run(params string[] args)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "CudaL2Net.Fuzz.exe" : "CudaL2Net.Fuzz");
        using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }

    [GeneratedRegex("--case (?<case>[0-9]+) ")]
    private static partial Regex Case();
}
