namespace CudaL2Net.Build;

/// <summary>
/// Compiles the kernels and <c>tests/emulator</c> for this machine: the emulated CUDA driver (artifacts/emulator), and the programs that run recorded launches
/// under a sanitizer.
/// </summary>
internal static class Emulator
{
    private static readonly string Sources = Path.Combine("tests", "emulator");

    // What each is made of. `replay.cpp` has a main function of its own.
    private static readonly string[] DriverFolders = ["driver", "fibers", "ptx", "replay", "vendor"], ReplayFolders = ["fibers", "replay"];

    /// <summary>Compiles what has changed of the emulated driver: the kernels with the entry points of the CUDA driver.</summary>
    public static void Compile()
    {
        if (!Compilers.CanEmulate || Compilers.Host() is not { } compiler)
        {
            Console.Error.WriteLine(Compilers.CanEmulate
                ? "warning: neither g++ nor clang++ was found: no emulated CUDA driver; the tests of the CUDA side are skipped"
                : "note: the emulated CUDA driver runs on x86-64 Linux only; the tests of the CUDA side are skipped");
            return;
        }

        string[] sources = [.. In(DriverFolders).Where(file => Path.GetFileName(file) != "replay.cpp")];
        Link("emulator", compiler, Path.GetFileName(Folders.Emulated), sources, ["-O3", "-fvisibility=hidden"], [], ["-shared", "-Wl,-z,defs", "-ldl"]);
        CompileDisk(compiler);
    }

    // The disk that fails on purpose is loaded before everything else, so it is a library of its own.
    private static void CompileDisk(string compiler)
    {
        string source = Folders.In(Sources, "disk", "disk.cpp"), output = Folders.FaultyDisk;
        if (!File.Exists(output) || File.GetLastWriteTimeUtc(output) < File.GetLastWriteTimeUtc(source))
        {
            Processes.Must(
                compiler, ["-std=c++17", "-O1", "-Wall", "-fPIC", "-fvisibility=hidden", "-shared", source, "-o", output, "-ldl"],
                "compiling the disk that fails on purpose failed");
        }
    }

    /// <summary>Compiles the kernels, the scheduler and what runs recorded launches as one program with a sanitizer; returns its path.</summary>
    public static string CompileReplay(string compiler, string name, string[] sanitize, string[] schedulerFlags)
    {
        // The recording itself needs the driver.
        string[] sources = [.. In(ReplayFolders).Where(file => Path.GetFileName(file) != "record.cpp")];
        // The sanitizers watch plain statics, not thread-locals, and need larger stacks.
        string[] flags = ["-O1", "-g1", "-fno-omit-frame-pointer", "-DEMU_SANITIZE", "-DEMU_STACK=262144u", .. sanitize];
        return Link(name, compiler, "replay", sources, flags, schedulerFlags, sanitize);
    }

    private static IEnumerable<string> In(string[] folders) =>
        folders.SelectMany(folder => Directory.GetFiles(Folders.In(Sources, folder), "*.cpp")).Order(StringComparer.Ordinal)
            .Select(file => Path.GetRelativePath(Folders.Root, file));

    // Compiles the kernels and these sources into artifacts/NAME and links them; returns the path of the result.
    private static string Link(string name, string compiler, string result, string[] sources, string[] flags, string[] schedulerFlags, string[] linkFlags)
    {
        string folder = Path.Combine("artifacts", name), objects = Path.Combine(folder, "obj");
        string[] common =
        [
            "-x", "c++", "-std=c++17", "-fPIC", "-pthread", "-Ikernels/include", "-I" + Sources.Replace('\\', '/'), "-Wall", "-Wno-unused-function",
            "-Wno-unknown-pragmas", "-DCUDA_EMU", .. flags,
        ];
        string[] kernelFlags = [.. common, "-march=x86-64-v3", "-ffp-contract=fast", "-fno-strict-aliasing", "-c"];
        string[] driverFlags = [.. common, .. schedulerFlags, "-c"];
        // The machine for PTX: in vectors, and rounding as it is told.
        string[] machineFlags = [.. driverFlags, "-march=x86-64-v3", "-ffp-contract=off"];
        Compilation Step(string source, string[] with)
        {
            string place = source.StartsWith(Sources, StringComparison.Ordinal) ? Path.GetFileName(Path.GetDirectoryName(source)) + "_" : "";
            string path = Path.Combine(objects, place + Path.GetFileName(source).Replace('.', '_'));
            return new Compilation(compiler, with, source, path + ".o", path);
        }

        string machine = Path.Combine(Sources, "ptx") + Path.DirectorySeparatorChar;
        List<Compilation> steps =
        [
            .. sources.Select(source => Step(source, source.StartsWith(machine, StringComparison.Ordinal) ? machineFlags : driverFlags)),
            .. Kernels.Files.Append(Path.Combine(Sources, "replay", "faults.cu")).Select(source => Step(source, kernelFlags)),
        ];
        Directory.CreateDirectory(Folders.In(objects));
        string[] stale = [.. Directory.GetFiles(Folders.In(objects), "*.o").Except(steps.Select(step => Folders.In(step.Output)))];
        Array.ForEach(stale, File.Delete);
        string output = Folders.In(folder, result);
        int compiled = Compilation.RunDue(steps);
        DateTime newest = steps.Max(step => File.GetLastWriteTimeUtc(Folders.In(step.Output)));
        if (stale.Length > 0 || !File.Exists(output) || File.GetLastWriteTimeUtc(output) < newest)
        {
            Processes.Must(compiler, ["-pthread", .. steps.Select(step => step.Output), "-o", output + ".new", .. linkFlags], $"linking {result} failed");
            File.Move(output + ".new", output, overwrite: true);
        }

        if (compiled > 0)
        {
            Console.WriteLine($"{name}: {compiled} of {steps.Count} files compiled with {compiler}");
        }

        return output;
    }
}
