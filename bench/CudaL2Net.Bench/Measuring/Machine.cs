using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Measuring;

/// <summary>On what, where and when figures were measured.</summary>
/// <param name="Device">The device's name: <c>cpu</c>, <c>cuda:0</c>.</param>
/// <param name="Description">The device in words: for a GPU its model and driver.</param>
/// <param name="Emulated">Whether the driver was the tests' emulation: then no time is a GPU's.</param>
/// <param name="Processor">The CPU's name.</param>
/// <param name="Cores">Logical processors.</param>
/// <param name="Vectors">Bits of the widest vectors in use.</param>
/// <param name="System">Operating system and runtime.</param>
/// <param name="Date">Coordinated universal time.</param>
/// <param name="Commit">The commit, with + where files were changed, or unknown.</param>
/// <param name="Load">Processes that wanted to run in the minute before, 0 where the system does not say.</param>
internal sealed record Machine(
    string Device, string Description, bool Emulated, string Processor, int Cores, int Vectors, string System, string Date, string Commit, double Load)
{
    /// <summary>This machine, now.</summary>
    public static Machine Current(Device device) => new(
        device.Name,
        WithoutPrecision(device),
        device.Emulated,
        ProcessorName(),
        Environment.ProcessorCount,
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
        $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}",
        DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC",
        Git("-C", AppContext.BaseDirectory, "describe", "--always", "--exclude", "*", "--dirty=+") ?? BuiltFrom() ?? "unknown",
        File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : 0);

    /// <summary>The lines that head a report.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"{Device}: {Description}";
        if (Emulated)
        {
            yield return "EMULATED: the results are the kernels', but no time is a GPU's";
        }

        yield return string.Create(CultureInfo.InvariantCulture, $"{Processor}, {Cores} cores, {Vectors}-bit vectors; load before the run {Load:0.0}");
        yield return $"{System}; {Date}; commit {Commit}";
    }

    // A report may be of several precisions; its rows say which.
    private static string WithoutPrecision(Device device)
    {
        string end = $", {device.Precision.ToString().ToLowerInvariant()}";
        return device.Description.EndsWith(end, StringComparison.Ordinal) ? device.Description[..^end.Length] : device.Description;
    }

    private static string ProcessorName()
    {
        IEnumerable<string> lines = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo") : [];
        string? name = lines.FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
        return name ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    // Away from its repository, the commit that the program was built from.
    private static string? BuiltFrom() =>
        typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+') is [_, { Length: >= 7 } commit]
            ? commit[..7]
            : null;

    private static string? Git(params string[] arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
