using System.Diagnostics;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Cli.Faults;

/// <summary>
/// A disk that fails on purpose: tests/emulator/disk stands before the C library's calls in a process of tests/fuzz, which runs commands, each with a fault at
/// a few of its calls, or at all (CUDAL2NET_LONG=1).
/// </summary>
public sealed class DiskFaultTests
{
    [TestCase("train")]
    [TestCase("describe")]
    [TestCase("match")]
    [TestCase("evaluate")]
    [TestCase("export")]
    public void AFailingDiskLeavesNoHalfFileAndTheCommandCanBeRunAgain(string command)
    {
        string? emulator = Environment.GetEnvironmentVariable("CUDAL2NET_DRIVER");
        string disk = Path.Combine(Path.GetDirectoryName(emulator) ?? "", "libfaulty-disk.so");
        if (!CudaDriver.Emulated || !File.Exists(disk))
        {
            Assert.Ignore("needs libfaulty-disk.so: ./build.sh emulator");
        }

        string program = Path.Combine(AppContext.BaseDirectory, "CudaL2Net.Fuzz");
        var start = new ProcessStartInfo(program, ["--disk", command, "--places", FaultyRuns.Long ? "1000000" : "6"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LD_PRELOAD"] = disk;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + errors.Result);
        Assert.That(output, Does.Contain("0 failed").And.Not.Contain(" 0 ended"));
        TestContext.Out.WriteLine(output);
    }
}
