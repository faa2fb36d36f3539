using System.Runtime.InteropServices;

namespace CudaL2Net.Build;

/// <summary>
/// The C library, compiled to machine code: artifacts/native. On x86-64 Linux it is three libraries for three levels of the instruction set and a small one
/// that takes the right one; elsewhere it is one.
/// </summary>
internal static class Native
{
    private static readonly string Source = Path.Combine("src", "CudaL2Net.Native"), Output = Folders.In("artifacts", "native");
    private static readonly string[] Levels = ["x86-64-v2", "x86-64-v3", "x86-64-v4"];

    private static bool ChoosesLevel => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Builds what is not up to date.</summary>
    public static void Compile()
    {
        Kernels.Compile();
        string lib = Path.Combine(Output, "lib");
        if (ChoosesLevel)
        {
            CompileLevels(lib);
        }
        else
        {
            string suffix = OperatingSystem.IsWindows() ? ".dll" : OperatingSystem.IsMacOS() ? ".dylib" : ".so";
            bool x64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
            string built = Publish(x64 ? "x86-64-v3" : "native", x64 ? ["-p:IlcInstructionSet=x86-64-v3"] : []);
            Directory.CreateDirectory(lib);
            File.Copy(built, Path.Combine(lib, (OperatingSystem.IsWindows() ? "" : "lib") + "cudal2net" + suffix), overwrite: true);
            string import = Path.ChangeExtension(built, ".lib");
            if (File.Exists(import))
            {
                File.Copy(import, Path.Combine(lib, "cudal2net.lib"), overwrite: true);
            }
        }

        Copy("include", "*.h*", Path.Combine(Output, "include"));
        Copy("packaging", "*.cmake*", Path.Combine(lib, "cmake", "CudaL2Net"));
        Copy("packaging", "*.pc*", Path.Combine(lib, "pkgconfig"));
        Console.WriteLine($"built {Path.GetRelativePath(Folders.Root, Output)}");
    }

    private static void CompileLevels(string lib)
    {
        string parts = Path.Combine(lib, "cudal2net"), loader = Path.Combine(Source, "loader", "loader.c");
        Directory.CreateDirectory(parts);
        DateTime newest = new[] { Source, Path.Combine("src", "CudaL2Net"), Path.Combine("src", "CudaL2Net.Interop") }
            .Select(folder => Folders.NewestSource(Folders.In(folder))).Append(Folders.Newest(Folders.In("artifacts", "kernels"), "*.ptx"))
            .Append(File.GetLastWriteTimeUtc(Folders.In("Directory.Build.props"))).Max();
        foreach (string level in Levels)
        {
            string part = Path.Combine(parts, level + ".so");
            if (!File.Exists(part) || File.GetLastWriteTimeUtc(part) < newest)
            {
                File.Copy(Publish(level, [$"-p:IlcInstructionSet={level}"]), part, overwrite: true);
                File.SetLastWriteTimeUtc(part, DateTime.UtcNow);
            }
        }

        string compiler = Compilers.Host() ?? throw new BuildFailed("no compiler for C was found: ./build.sh setup installs one");
        Processes.Must(
            compiler,
            ["-x", "c", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libcudal2net.so",
                "-Wl,-z,nodelete", loader, "-ldl", "-lpthread", "-o", Path.Combine(lib, "libcudal2net.so")],
            "the C library's loader did not compile");
    }

    // The machine code for one instruction set; returns its file.
    private static string Publish(string name, string[] options)
    {
        string folder = Folders.In("artifacts", "native-parts", name);
        Console.WriteLine($"compiling the C library for {name}");
        Processes.Must(
            "dotnet",
            ["publish", Source, "-c", "Release", "-v", "quiet", "--nologo", "-clp:ErrorsOnly", "-p:MachineCode=true", .. options,
                $"-p:NativeIntermediateOutputPath={Path.Combine(folder, "objects")}{Path.DirectorySeparatorChar}", "-o", folder],
            "the C library could not be compiled to machine code");
        return Directory.EnumerateFiles(folder, "CudaL2Net.Native.*").Single(file => Path.GetExtension(file) is ".so" or ".dll" or ".dylib");
    }

    // Files ending in .in are written with the version in place of @VERSION@.
    private static void Copy(string folder, string pattern, string target)
    {
        Directory.CreateDirectory(target);
        foreach (string file in Directory.EnumerateFiles(Folders.In(Source, folder), pattern))
        {
            string name = Path.GetFileName(file);
            File.WriteAllText(
                Path.Combine(target, name.EndsWith(".in", StringComparison.Ordinal) ? name[..^3] : name), File.ReadAllText(file).Replace("@VERSION@", Solution.Version));
        }
    }
}
