namespace CudaL2Net.Build;

/// <summary>
/// Runs every kernel, at the small shapes of the tests, under the address, undefined-behaviour and race detectors. It runs launches that the emulator recorded
/// while the tests of the operations ran.
/// </summary>
internal static class Sanitize
{
    // What `test` recorded.
    private static readonly string Recorded = Folders.In("artifacts", "launches.bin");

    /// <summary>Runs a file of launches under each detector; returns the exit code.</summary>
    /// <param name="file">The file that the emulator wrote (CUDAL2NET_EMULATOR_RECORD). Null: what `test` recorded, or, if that is older than the build,
    /// a new recording.</param>
    public static int Run(string? file)
    {
        if (!Compilers.CanEmulate || Compilers.Host() is not { } compiler)
        {
            throw new BuildFailed("the kernels are emulated, and so sanitized, on x86-64 Linux with g++ or clang++ only");
        }

        if (file == null && !Current() && !Record(recording => Tests.Run(["--filter", Tests.CudaOperations], recording, quiet: true) == 0))
        {
            throw new BuildFailed("the tests of the operations fail: see ./build.sh test");
        }

        // Checks of addresses as calls: in line, in large kernels, they take g++ many times as long. What the address detector sees itself, and what only
        // asks whether a pointer wraps around, is left out of the other.
        string[] calls = compiler == "g++"
            ? ["--param", "asan-instrumentation-with-call-threshold=0"]
            : ["-mllvm", "-asan-instrumentation-with-call-threshold=0"];
        string[] undefined = ["-fno-sanitize-recover=undefined", "-fno-sanitize=null,object-size,pointer-overflow"];
        string address = Emulator.CompileReplay(compiler, "sanitize-address", ["-fsanitize=address,undefined", .. undefined, .. calls], []);
        string races = Emulator.CompileReplay(compiler, "sanitize-races", ["-fsanitize=thread", "-DEMU_TSAN=1"], ["-fno-sanitize=thread"]);
        // The race detector of older compilers does not start where the kernel spreads addresses wider than this.
        bool spread = File.Exists("/proc/sys/vm/mmap_rnd_bits") && int.Parse(File.ReadAllText("/proc/sys/vm/mmap_rnd_bits")) > 28;
        string[] layout = spread ? ["x86_64", "-R"] : ["x86_64"];
        int worst = Detect(layout, address, races, file is null ? Recorded : Path.GetFullPath(file));
        // What the detectors are worth: they must find the faults that were planted.
        foreach (string[] command in Planted(address, races))
        {
            if (Processes.Run("setarch", [.. layout, .. command], quiet: true, environment: Options) == 0)
            {
                Console.Error.WriteLine($"error: {string.Join(' ', command)} did not notice the planted fault");
                worst = 1;
            }
        }

        Console.WriteLine(worst == 0 ? "sanitize: clean" : "sanitize: FAILED");
        return worst;
    }

    /// <summary>Has the emulator record what is launched meanwhile; the recording is kept if all went well. Gives the environment to run with.</summary>
    public static bool Record(Func<IReadOnlyDictionary<string, string>, bool> launch)
    {
        string recording = Recorded + ".new";
        Directory.CreateDirectory(Path.GetDirectoryName(recording)!);
        File.Delete(Recorded);
        File.Delete(recording);
        bool well = launch(new Dictionary<string, string> { ["CUDAL2NET_EMULATOR_RECORD"] = recording });
        if (well && File.Exists(recording))
        {
            File.Move(recording, Recorded);
        }

        return well;
    }

    private static readonly Dictionary<string, string> Options =
        new() { ["ASAN_OPTIONS"] = "detect_leaks=0", ["TSAN_OPTIONS"] = "halt_on_error=1" };

    // Whether the recording is of what is built now; builds what it is compared with.
    private static bool Current()
    {
        Processes.SideBySide(Kernels.Compile, Emulator.Compile);
        Solution.BuildTests();
        DateTime built = new[] { File.GetLastWriteTimeUtc(Folders.Emulated), Folders.Newest(Path.GetDirectoryName(Folders.TestProgram)!, "CudaL2Net*.dll") }.Max();
        return File.Exists(Recorded) && built < File.GetLastWriteTimeUtc(Recorded);
    }

    private static int Detect(string[] layout, string address, string races, string file)
    {
        (string[] Command, string What)[] detectors =
        [
            ([address], "addresses and undefined behaviour"),
            ([races], "races within blocks"),
            ([races, "--blocks"], "races between blocks"),
        ];
        // Each runs on one core.
        var reports = new List<string>[detectors.Length];
        var codes = new int[detectors.Length];
        Parallel.For(0, detectors.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            reports[i] = [];
            codes[i] = Processes.Run("setarch", [.. layout, .. detectors[i].Command, file], onLine: reports[i].Add, echo: false, environment: Options);
        });
        for (int i = 0; i < detectors.Length; i++)
        {
            Console.WriteLine($"sanitize: {detectors[i].What}");
            reports[i].ForEach(Console.WriteLine);
        }

        return codes.Max();
    }

    private static IEnumerable<string[]> Planted(string address, string races) =>
    [
        .. new[] { "fault_global", "fault_shared", "fault_dynamic" }.Select(fault => new[] { address, fault }),
        .. new[] { "fault_race", "fault_write_after_read", "fault_warp" }.Select(fault => new[] { races, fault }),
        [races, "--blocks", "fault_blocks"],
    ];
}
