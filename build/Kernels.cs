namespace CudaL2Net.Build;

/// <summary>Compiles the CUDA kernels to PTX, which the library embeds: artifacts/kernels.</summary>
internal static class Kernels
{
    /// <summary>The kernels' files, in folders by kind, relative to the repository.</summary>
    /// <exception cref="BuildFailed">Two files have one name: both would become the same file of PTX.</exception>
    public static string[] Files
    {
        get
        {
            string[] files =
            [
                .. Directory.GetFiles(Folders.In("kernels"), "*.cu", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folders.Root, file))
                    .Order(StringComparer.Ordinal),
            ];
            IEnumerable<string>? twice = files.GroupBy(file => Path.GetFileName(file), StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1);
            return twice == null
                ? files
                : throw new BuildFailed($"{string.Join(" and ", twice)} have the same name, and PTX is named after its file: rename one of them");
        }
    }

    /// <summary>
    /// Compiles what has changed. PTX is for any GPU from compute capability 8.0 on, in the lowest version of PTX that suffices, so that old drivers take it.
    /// A file asks for more by lines such as <c>// targets: sm_80 sm_90a</c> and <c>// ptx: 7.8</c>.
    /// </summary>
    public static void Compile()
    {
        if (Compilers.Device() is not { } compiler)
        {
            Console.Error.WriteLine($"""
                warning: neither nvcc nor clang {Compilers.OldestClang} or later was found: this build has no CUDA kernels and runs on the CPU only.
                         Install one: the CUDA toolkit (https://developer.nvidia.com/cuda-downloads), or clang alone
                         (Debian, Ubuntu: apt-get install clang-{Compilers.OldestClang}).
                """);
            return;
        }

        string folder = Path.Combine("artifacts", "kernels");
        List<Compilation> steps = [.. Files.SelectMany(source => Steps(source, compiler.Program, compiler.Nvidia, folder))];
        Directory.CreateDirectory(Folders.In(folder));
        foreach (string stale in Directory.GetFiles(Folders.In(folder), "*.ptx").Except(steps.Select(step => Folders.In(step.Output))))
        {
            File.Delete(stale);
        }

        int compiled = Compilation.RunDue(steps);
        // The assembler's report of registers and spills, where there is an assembler; the tests read it.
        if (Processes.Run("ptxas", ["--version"], quiet: true) == 0)
        {
            Compilation.RunDue([.. steps.Select(Assembly)], step => Folders.In(Path.ChangeExtension(step.Source, ".ptxas")));
        }

        if (compiled > 0)
        {
            Console.WriteLine($"kernels: {compiled} of {steps.Count} PTX files compiled with {compiler.Program}");
        }
    }

    private static IEnumerable<Compilation> Steps(string source, string compiler, bool nvidia, string folder)
    {
        string[] head = [.. File.ReadLines(Folders.In(source)).TakeWhile(line => line.StartsWith("//", StringComparison.Ordinal))];
        string[] Asked(string what) =>
        [
            .. head.Where(line => line.StartsWith($"// {what}:", StringComparison.Ordinal))
                .SelectMany(line => line[(what.Length + 4)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        ];
        foreach (string architecture in Asked("targets").DefaultIfEmpty("sm_80"))
        {
            string isa = Asked("ptx").FirstOrDefault() ?? (architecture.StartsWith("sm_9", StringComparison.Ordinal) ? "8.0" : "7.0");
            string name = Path.GetFileNameWithoutExtension(source) + (architecture == "sm_80" ? ".ptx" : $".{architecture}.ptx");
            string[] flags = nvidia
                ? ["-ptx", $"-arch={architecture.Replace("sm_", "compute_")}", "-O3", "-std=c++17"]
                :
                [
                    "-x", "cuda", "--cuda-device-only", $"--cuda-gpu-arch={architecture}", "-nocudainc", "-nocudalib", "-S", "-O3", "-std=c++17",
                    $"--cuda-feature=+ptx{isa.Replace(".", "")}", "-Wall", "-Wno-unused-function",
                ];
            yield return new Compilation(compiler, [.. flags, "-Ikernels/include"], source, Path.Combine(folder, name), Path.Combine(folder, "obj", name));
        }
    }

    private static Compilation Assembly(Compilation step)
    {
        string architecture = step.Output.Contains("sm_90a", StringComparison.Ordinal) ? "sm_90a" : "sm_80";
        return new Compilation("ptxas", ["-v", $"-arch={architecture}"], step.Output, Path.ChangeExtension(step.Output, ".cubin"), step.Notes + ".cubin");
    }
}
