using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Benchmarks;

/// <summary>Where and when figures were measured.</summary>
/// <param name="Processor">The CPU's name.</param>
/// <param name="Cores">Logical processors.</param>
/// <param name="Vectors">Bits of the widest vectors in use.</param>
/// <param name="System">Operating system and runtime.</param>
/// <param name="Date">Coordinated universal time.</param>
/// <param name="Commit">The commit, with + where files were changed, or unknown.</param>
/// <param name="Load">Processes that wanted to run in the minute before, 0 where the system does not say.</param>
internal sealed record Machine(string Processor, int Cores, int Vectors, string System, string Date, string Commit, double Load)
{
    public static Machine Current() => new(
        ProcessorName(),
        Environment.ProcessorCount,
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
        $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}",
        DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC",
        Git("-C", AppContext.BaseDirectory, "describe", "--always", "--exclude", "*", "--dirty=+"),
        File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : 0);

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Processor}, {Cores} cores, {Vectors}-bit vectors; {System}; {Date}; commit {Commit}; load before the run {Load:0.0}");

    private static string ProcessorName()
    {
        IEnumerable<string> lines = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo") : [];
        string? name = lines.FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
        return name ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string Git(params string[] arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? output : "unknown";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "unknown";
        }
    }
}
