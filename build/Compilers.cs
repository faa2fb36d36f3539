using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace CudaL2Net.Build;

/// <summary>The compilers of the CUDA kernels: one that writes PTX, and one for this machine.</summary>
internal static class Compilers
{
    /// <summary>The first clang that the kernels were tried with.</summary>
    public const int OldestClang = 19;

    /// <summary>Whether the emulated driver runs on this machine: it switches stacks in assembly, for one kind of processor.</summary>
    public static bool CanEmulate => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>The compiler that writes PTX: nvcc if it is there, else clang; null where there is neither.</summary>
    public static (string Program, bool Nvidia)? Device()
    {
        if (Processes.Run("nvcc", ["--version"], quiet: true) == 0)
        {
            return ("nvcc", true);
        }

        string[] names = [.. Enumerable.Range(OldestClang, 12).Select(version => $"clang++-{version}"), "clang++"];
        return names.Where(name => ClangVersion(name) >= OldestClang).Select(name => ((string, bool)?)(name, false)).FirstOrDefault();
    }

    /// <summary>The compiler for this machine; null where there is none.</summary>
    public static string? Host() =>
        Processes.Run("g++", ["--version"], quiet: true) == 0 ? "g++"
        : Device() is { Nvidia: false } clang ? clang.Program
        : Processes.Run("clang++", ["--version"], quiet: true) == 0 ? "clang++"
        : null;

    private static int ClangVersion(string program)
    {
        int version = 0;
        Processes.Run(program, ["--version"], onLine: line =>
        {
            if (Regex.Match(line, @"clang version (\d+)") is { Success: true } found)
            {
                version = int.Parse(found.Groups[1].Value);
            }
        }, quiet: true);
        return version;
    }
}
