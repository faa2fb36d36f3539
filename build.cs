#:property PublishAot=false
#:property TieredCompilation=true

// The whole build, for every system. `./build.sh TARGET` (`build.ps1` on Windows) hands over to it; `dotnet run build.cs -- TARGET` is the same.
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

const string Usage = """
    usage: ./build.sh [TARGET] [ARGUMENTS]

      build    build everything; the tool is then artifacts/cudal2net/cudal2net      (the default)
      test     build, run all tests; arguments go to the test program (--filter ...)
      publish-tests  build, and put the tests into artifacts/tests as a program of its own that needs no .NET: for machines with a GPU
      demo     build, train for a few minutes and show the results; arguments go to `cudal2net demo` (--minutes 1, --out DIR)
      bench    build, measure: arguments go to `cudal2net bench` (kernels, train, describe, match, compare); operations: BenchmarkDotNet's suites
      kernels  compile the CUDA kernels to PTX: artifacts/kernels                     (part of build)
      emulator compile them with the emulated CUDA driver: artifacts/emulator          (part of build, on x86-64 Linux)
      sanitize run what `test` launched of each kernel under the address and race detectors (RECORDED: other launches that the emulator recorded)
      format   check the formatting of the sources
      setup    install the system libraries that are missing (Debian and Ubuntu)
      clean    remove everything that was built
    """;

// Which tests launch every kernel at small shapes.
const string Operations = "FullyQualifiedName~Operations", CudaOperations = $"TestCategory=Cuda&{Operations}";

// The first clang that the kernels were tried with.
const int OldestClang = 19;

string root = Path.GetDirectoryName(SourcePath())!;
string tool = Path.Combine(root, "artifacts", "cudal2net");
string[] plain = ["--no-ansi", "--progress", "off", "--settings", Path.Combine(root, "tests", "CudaL2Net.Tests", ".runsettings")];
string launches = Path.Combine(root, "artifacts", "launches.bin");
string suffix = OperatingSystem.IsWindows() ? ".exe" : "";
string target = args.Length == 0 ? "build" : args[0];
string[] rest = args.Length == 0 ? [] : args[1..];

Environment.SetEnvironmentVariable("DOTNET_CLI_TELEMETRY_OPTOUT", "1");
Environment.SetEnvironmentVariable("TESTINGPLATFORM_TELEMETRY_OPTOUT", "1");
Environment.SetEnvironmentVariable("DOTNET_NOLOGO", "1");
// Build nodes that outlive the build would hold the pipes of whoever called us.
Environment.SetEnvironmentVariable("MSBUILDDISABLENODEREUSE", "1");
// What we start gets the terminal's Ctrl-C too, and decides; we wait for it.
Console.CancelKeyPress += (_, signal) => signal.Cancel = true;

try
{
    switch (target)
    {
        case "build":
            Build();
            Console.WriteLine($"built {Path.Combine("artifacts", "cudal2net", "cudal2net" + suffix)}");
            return 0;
        case "test":
            Build();
            return Test();
        case "publish-tests":
            Build();
            PublishTests();
            return 0;
        case "demo":
            Build();
            return Run(Path.Combine(tool, "cudal2net" + suffix), ["demo", .. rest], Directory.GetCurrentDirectory());
        case "bench":
            Build();
            return Bench();
        case "format":
            int code = Run("dotnet", ["format", "CudaL2Net.sln", "--verify-no-changes"]);
            Console.WriteLine(code == 0 ? "format: clean" : "format: run `dotnet format CudaL2Net.sln` and commit the changes");
            return code;
        case "kernels":
            Kernels();
            return 0;
        case "emulator":
            Emulator();
            return 0;
        case "sanitize":
            return Sanitize();
        case "setup":
            Build();
            if (OperatingSystem.IsLinux() && MissingLibraries().Length > 0)
            {
                return 1;
            }

            Console.WriteLine("all native libraries load");
            return 0;
        case "clean":
            Clean();
            return 0;
        case "help" or "--help" or "-h":
            Console.WriteLine(Usage);
            return 0;
        default:
            Console.Error.WriteLine($"error: unknown target '{target}'\n\n{Usage}");
            return 2;
    }
}
catch (BuildFailed failure)
{
    Console.Error.WriteLine($"error: {failure.Message}");
    return 1;
}

void Build()
{
    InstallCompilers();
    Kernels();
    Emulator();
    Must("dotnet", ["build", "CudaL2Net.sln", "-c", "Release", "-v", "quiet", "--nologo", "-clp:NoSummary"], "the build failed");
    Must(
        "dotnet",
        ["publish", Path.Combine("src", "CudaL2Net.Cli"), "-c", "Release", "--no-build", "-v", "quiet", "--nologo", "-clp:NoSummary", "-o", tool],
        "publishing the tool failed");
    InstallSystemLibraries();
}

int Test()
{
    int passed = 0, failed = 0, skipped = 0, worst = 0;
    void Count(string[] arguments)
    {
        int code = Run(Tests(), [.. plain, "--output", "detailed", .. arguments], onLine: line =>
        {
            Match summary = Regex.Match(line, @"^\s+(succeeded|failed|skipped): (\d+)\s*$");
            int count = summary.Success ? int.Parse(summary.Groups[2].Value) : 0;
            passed += summary.Groups[1].Value == "succeeded" ? count : 0;
            failed += summary.Groups[1].Value == "failed" ? count : 0;
            skipped += summary.Groups[1].Value == "skipped" ? count : 0;
        });
        worst = Math.Max(worst, code);
    }

    if (rest.Length > 0)
    {
        Count(rest);
    }
    else
    {
        // What the tests of the operations launch is what `sanitize` runs again. The emulator runs their kernels as the PTX that a GPU is given; there, and in
        // all other tests, as C++.
        Record(() => With("CUDAL2NET_EMULATOR_PTX", "1", () =>
        {
            Count(["--filter", Operations]);
            return worst == 0;
        }));
        Count(["--filter", Operations.Replace("~", "!~")]);
    }

    // The commands as a user has them, on the emulated device.
    string emulated = Path.Combine(root, "artifacts", "emulator", "libcuda-emulator.so");
    if (rest.Length == 0 && OperatingSystem.IsLinux() && File.Exists(emulated))
    {
        int code = Run(Path.Combine(root, "tests", "cli-on-emulator.sh"), [Path.Combine(tool, "cudal2net"), emulated]);
        passed += code == 0 ? 1 : 0;
        failed += code == 0 ? 0 : 1;
    }

    if (passed + failed == 0)
    {
        Console.Error.WriteLine("error: no test ran");
        worst = Math.Max(worst, 1);
    }

    Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
    return failed > 0 ? 1 : worst;
}

string Tests() => Path.Combine(root, "tests", "CudaL2Net.Tests", "bin", "Release", "net10.0", "CudaL2Net.Tests" + suffix);

// Has the emulator record what is launched meanwhile; kept if all went well.
bool Record(Func<bool> launch)
{
    string recording = launches + ".new";
    File.Delete(launches);
    File.Delete(recording);
    bool well = With("CUDAL2NET_EMULATOR_RECORD", recording, launch);
    if (well && File.Exists(recording))
    {
        File.Move(recording, launches);
    }

    return well;
}

// Does something with an environment variable that programs started meanwhile see.
bool With(string variable, string value, Func<bool> work)
{
    string? before = Environment.GetEnvironmentVariable(variable);
    Environment.SetEnvironmentVariable(variable, value);
    bool well = work();
    Environment.SetEnvironmentVariable(variable, before);
    return well;
}

void PublishTests()
{
    string output = Path.Combine(root, "artifacts", "tests");
    string system = OperatingSystem.IsWindows() ? "win-x64" : "linux-x64";
    string[] options = ["-c", "Release", "-r", system, "--self-contained", "-v", "quiet", "--nologo", "-clp:NoSummary", "-o", output];
    Must("dotnet", ["publish", Path.Combine("tests", "CudaL2Net.Tests"), .. options], "publishing the tests failed");
    string emulated = Path.Combine(root, "artifacts", "emulator", "libcuda-emulator.so");
    if (File.Exists(emulated))
    {
        File.Copy(emulated, Path.Combine(output, Path.GetFileName(emulated)), overwrite: true);
    }

    Console.WriteLine("published artifacts/tests: copy the folder, and run bench/run-on-gpu.sh or CUDAL2NET_DRIVER=libcuda.so.1 ./CudaL2Net.Tests");
}

// In the caller's folder, which the files that the arguments name are relative to.
int Bench()
{
    if (rest is not ["operations", .. var suites])
    {
        return Run(Path.Combine(tool, "cudal2net" + suffix), ["bench", .. rest.Length == 0 ? ["--help"] : rest], Directory.GetCurrentDirectory());
    }

    string project = Path.Combine(root, "bench", "CudaL2Net.Benchmarks");
    return Run("dotnet", ["run", "--no-build", "-c", "Release", "--project", project, "--", .. suites], Directory.GetCurrentDirectory());
}

void Clean()
{
    string[] roots = ["src", "tests", "bench"];
    IEnumerable<string> folders = roots.Select(folder => Path.Combine(root, folder)).Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories))
        .SelectMany(project => new[] { "bin", "obj" }, (project, output) => Path.Combine(Path.GetDirectoryName(project)!, output))
        .Append(Path.Combine(root, "artifacts"));
    foreach (string folder in folders.Where(Directory.Exists).ToList())
    {
        Directory.Delete(folder, recursive: true);
    }
}

// The tool brings its own native libraries; OpenCV's needs GTK 3 of the system, and plots need a font.
void InstallSystemLibraries()
{
    if (!OperatingSystem.IsLinux())
    {
        return;
    }

    string[] missing = MissingLibraries();
    bool font = Directory.Exists("/usr/share/fonts") && Directory.EnumerateFiles("/usr/share/fonts", "*.?tf", SearchOption.AllDirectories).Any();
    if (missing.Length == 0 && font)
    {
        return;
    }

    string what = string.Join(", ", font ? missing : [.. missing, "a TrueType font"]);
    if (!File.Exists("/usr/bin/apt-get"))
    {
        Console.Error.WriteLine($"warning: missing on this system: {what}; "
            + "they come with GTK 3 and a font package such as DejaVu: install these with your system's package tool");
        return;
    }

    if (Administrator() is not { } prefix)
    {
        Console.Error.WriteLine($"warning: missing on this system: {what}. "
            + "As an administrator run:  apt-get update && apt-get install -y libgtk-3-0 fonts-dejavu-core");
        return;
    }

    Console.WriteLine($"installing what is missing on this system: {what}");
    Apt(prefix, ["update", "-q"], "commands that read pictures or draw plots may not work");
    // Debian 13 and Ubuntu 24.04 renamed the package when time_t grew to 64 bits.
    string gtk = Run("apt-cache", ["show", "libgtk-3-0t64"], quiet: true) == 0 ? "libgtk-3-0t64" : "libgtk-3-0";
    Apt(prefix, ["install", "-y", "-q", "--no-install-recommends", gtk, "fonts-dejavu-core"], "commands that read pictures or draw plots may not work");
    missing = MissingLibraries();
    if (missing.Length > 0)
    {
        Console.Error.WriteLine($"warning: still missing: {string.Join(", ", missing)}; commands that read pictures will not work");
    }
}

// What to put before a command that needs an administrator; null where that cannot be had without asking.
string[]? Administrator()
{
    if (Environment.UserName == "root")
    {
        return [];
    }

    return File.Exists("/usr/bin/sudo") && (!Console.IsInputRedirected || Run("sudo", ["-n", "true"], quiet: true) == 0) ? ["sudo"] : null;
}

void Apt(string[] prefix, string[] arguments, string consequence)
{
    string[] command = [.. prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", .. arguments];
    if (Run(command[0], command[1..]) != 0)
    {
        Console.Error.WriteLine($"warning: `{string.Join(' ', command)}` failed; {consequence}");
    }
}

string[] MissingLibraries()
{
    var missing = new SortedSet<string>(StringComparer.Ordinal);
    foreach (string library in Directory.EnumerateFiles(tool, "*.so", SearchOption.AllDirectories))
    {
        Run("ldd", [library], root, line =>
        {
            if (Regex.Match(line, @"^\s*(\S+) => not found") is { Success: true } entry)
            {
                missing.Add(entry.Groups[1].Value);
            }
        }, quiet: true);
    }

    return [.. missing];
}

// The CUDA kernels need a compiler that writes PTX (nvcc, or clang 19 or later without any toolkit), their emulation one for this machine.
void InstallCompilers()
{
    var missing = new List<string>();
    if (DeviceCompiler() == null)
    {
        missing.Add("clang");
    }

    if (CanEmulate() && HostCompiler() == null)
    {
        missing.Add("g++");
    }

    if (missing.Count == 0 || !OperatingSystem.IsLinux() || !File.Exists("/usr/bin/apt-get") || Administrator() is not { } prefix)
    {
        return;
    }

    Console.WriteLine($"installing what the CUDA kernels are compiled with: {string.Join(", ", missing)}");
    Apt(prefix, ["update", "-q"], "going on with the package lists as they are");
    int newest = 0;
    Run("apt-cache", ["search", "--names-only", "^clang-[0-9]+$"], root, line =>
    {
        // The oldest that will do: the one that the kernels were tried with.
        if (Regex.Match(line, @"^clang-(\d+) ") is { Success: true } entry && int.Parse(entry.Groups[1].Value) is var version && version >= OldestClang)
        {
            newest = newest == 0 ? version : Math.Min(newest, version);
        }
    }, quiet: true);
    string[] packages = [.. missing.Where(name => name != "clang" || newest > 0).Select(name => name == "clang" ? $"clang-{newest}" : name)];
    if (packages.Length > 0)
    {
        Apt(prefix, ["install", "-y", "-q", "--no-install-recommends", .. packages], "going on without CUDA kernels");
    }
}

// nvcc where there is one, else clang: a command, and whether it is nvcc.
(string Program, bool Nvidia)? DeviceCompiler()
{
    if (Run("nvcc", ["--version"], quiet: true) == 0)
    {
        return ("nvcc", true);
    }

    string[] names = [.. Enumerable.Range(OldestClang, 12).Select(version => $"clang++-{version}"), "clang++"];
    return names.Where(name => ClangVersion(name) >= OldestClang).Select(name => ((string, bool)?)(name, false)).FirstOrDefault();
}

int ClangVersion(string program)
{
    int version = 0;
    Run(program, ["--version"], root, line =>
    {
        if (Regex.Match(line, @"clang version (\d+)") is { Success: true } found)
        {
            version = int.Parse(found.Groups[1].Value);
        }
    }, quiet: true);
    return version;
}

string? HostCompiler() =>
    Run("g++", ["--version"], quiet: true) == 0 ? "g++"
    : DeviceCompiler() is { Nvidia: false } clang ? clang.Program
    : Run("clang++", ["--version"], quiet: true) == 0 ? "clang++"
    : null;

// The emulator switches stacks in assembly, for one kind of processor.
static bool CanEmulate() => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

string[] KernelFiles() => [.. Directory.GetFiles(Path.Combine(root, "kernels"), "*.cu").Order(StringComparer.Ordinal)];

// Every kernel file as PTX that any GPU from compute capability 8.0 on loads, in the lowest version of PTX that suffices, so that old drivers take it.
// A file asks for more by lines such as `// targets: sm_80 sm_90a` and `// ptx: 7.8`.
void Kernels()
{
    if (DeviceCompiler() is not { } compiler)
    {
        Console.Error.WriteLine($"""
            warning: neither nvcc nor clang {OldestClang} or later was found: this build has no CUDA kernels and runs on the CPU only.
                     Install one: the CUDA toolkit (https://developer.nvidia.com/cuda-downloads), or clang alone
                     (Debian, Ubuntu: apt-get install clang-{OldestClang}).
            """);
        return;
    }

    string output = Path.Combine(root, "artifacts", "kernels");
    DateTime shared = Newest(Path.Combine(root, "kernels", "include"));
    var steps = new List<Compilation>();
    foreach (string source in KernelFiles())
    {
        string[] head = [.. File.ReadLines(source).TakeWhile(line => line.StartsWith("//", StringComparison.Ordinal))];
        string[] Asked(string what) =>
        [
            .. head.Where(line => line.StartsWith($"// {what}:", StringComparison.Ordinal))
                .SelectMany(line => line[(what.Length + 4)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        ];
        foreach (string architecture in Asked("targets").DefaultIfEmpty("sm_80"))
        {
            string isa = Asked("ptx").FirstOrDefault() ?? (architecture.StartsWith("sm_9", StringComparison.Ordinal) ? "8.0" : "7.0");
            string name = Path.GetFileNameWithoutExtension(source) + (architecture == "sm_80" ? ".ptx" : $".{architecture}.ptx");
            string[] flags = compiler.Nvidia
                ? ["-ptx", $"-arch={architecture.Replace("sm_", "compute_")}", "-O3", "-std=c++17"]
                :
                [
                    "-x", "cuda", "--cuda-device-only", $"--cuda-gpu-arch={architecture}", "-nocudainc", "-nocudalib", "-S", "-O3", "-std=c++17",
                    $"--cuda-feature=+ptx{isa.Replace(".", "")}", "-Wall", "-Wno-unused-function",
                ];
            steps.Add(new Compilation(compiler.Program, [.. flags, "-Ikernels/include"], source, Path.Combine(output, name)));
        }
    }

    Directory.CreateDirectory(output);
    foreach (string stale in Directory.GetFiles(output, "*.ptx").Except(steps.Select(step => step.Output)))
    {
        File.Delete(stale);
    }

    int compiled = Compile(steps, shared);
    // The assembler's report of registers and spills, where there is one; the tests read it.
    if (Run("ptxas", ["--version"], quiet: true) == 0)
    {
        List<Compilation> assembled =
        [
            .. steps.Select(step => new Compilation(
                "ptxas", ["-v", $"-arch={(step.Output.Contains("sm_90a") ? "sm_90a" : "sm_80")}"], step.Output, Path.ChangeExtension(step.Output, ".cubin"))),
        ];
        Compile(assembled, shared, step => Path.ChangeExtension(step.Source, ".ptxas"));
    }

    Report($"kernels: {compiled} of {steps.Count} PTX files compiled with {compiler.Program}", compiled);
}

// The same kernels as a shared library with the entry points of the CUDA driver: what the tests run on where there is no GPU.
void Emulator()
{
    if (!CanEmulate() || HostCompiler() is not { } compiler)
    {
        Console.Error.WriteLine(CanEmulate()
            ? "warning: neither g++ nor clang++ was found: no emulated CUDA driver; the tests of the CUDA side are skipped"
            : "note: the emulated CUDA driver runs on x86-64 Linux only; the tests of the CUDA side are skipped");
        return;
    }

    string[] sources = [.. Directory.GetFiles(Path.Combine(root, "kernels", "emulator"), "*.cpp").Where(file => Path.GetFileName(file) != "replay.cpp")];
    CompileForHost("emulator", compiler, "libcuda-emulator.so", sources, ["-O3"], [], ["-shared", "-ldl"]);
}

// The kernels, the scheduler and what runs recorded launches as one program, built with a sanitizer.
string Replay(string compiler, string name, string[] sanitize, string[] schedulerFlags)
{
    string[] sources = [.. new[] { "fibers.cpp", "replay.cpp" }.Select(file => Path.Combine(root, "kernels", "emulator", file))];
    // The sanitizers watch plain statics, not thread-locals, and need larger stacks.
    string[] flags = ["-O1", "-g1", "-fno-omit-frame-pointer", "-DEMU_SANITIZE", "-DEMU_STACK=262144u", .. sanitize];
    return CompileForHost(name, compiler, "replay", sources, flags, schedulerFlags, sanitize);
}

// Compiles the kernels and these sources into artifacts/NAME and links them; returns the path of the result.
string CompileForHost(string name, string compiler, string result, string[] sources, string[] flags, string[] schedulerFlags, string[] linkFlags)
{
    string folder = Path.Combine(root, "artifacts", name);
    string objects = Path.Combine(folder, "obj");
    string emulator = Path.Combine(root, "kernels", "emulator");
    string[] common =
    [
        "-x", "c++", "-std=c++17", "-fPIC", "-pthread", "-Ikernels/include", "-Ikernels/emulator", "-Wall", "-Wno-unused-function", "-Wno-unknown-pragmas",
        "-DCUDA_EMU", .. flags,
    ];
    string[] kernelFlags = [.. common, "-march=x86-64-v3", "-ffp-contract=fast", "-fno-strict-aliasing", "-c"];
    string[] driverFlags = [.. common, .. schedulerFlags, "-c"];
    Compilation Step(string source, string[] with) =>
        new(compiler, with, source, Path.Combine(objects, Path.GetFileNameWithoutExtension(source) + Path.GetExtension(source).Replace('.', '_') + ".o"));
    List<Compilation> steps =
    [
        // The machine for PTX: in vectors, and rounding as it is told.
        .. sources.Order(StringComparer.Ordinal).Select(source =>
            Step(source, source.EndsWith("ptx_machine.cpp", StringComparison.Ordinal) ? [.. driverFlags, "-march=x86-64-v3", "-ffp-contract=off"] : driverFlags)),
        .. KernelFiles().Concat(Directory.GetFiles(emulator, "*.cu")).Select(source => Step(source, kernelFlags)),
    ];
    Directory.CreateDirectory(objects);
    string[] stale = [.. Directory.GetFiles(objects).Except(steps.Select(step => step.Output))];
    foreach (string file in stale)
    {
        File.Delete(file);
    }

    DateTime headers = new[] { Newest(emulator, "*.h"), Newest(Path.Combine(root, "kernels", "include")) }.Max();
    string output = Path.Combine(folder, result);
    int compiled = Compile(steps, headers);
    if (compiled > 0 || stale.Length > 0 || !File.Exists(output))
    {
        string[] link = ["-pthread", .. steps.Select(step => step.Output), "-o", output + ".new", .. linkFlags];
        Must(compiler, link, $"linking {result} failed");
        File.Move(output + ".new", output, overwrite: true);
    }

    Report($"{name}: {compiled} of {steps.Count} files compiled with {compiler}", compiled);
    return output;
}

// Runs every kernel at the small shapes of the tests under the address, undefined-behaviour and race detectors. The launches are those of a file that
// the emulator wrote (CUDAL2NET_EMULATOR_RECORD), given as an argument, or of the tests of the operations, recorded by `test` or, if that was before the
// last build, here.
int Sanitize()
{
    if (!CanEmulate() || HostCompiler() is not { } compiler)
    {
        throw new BuildFailed("the kernels are emulated, and so sanitized, on x86-64 Linux with g++ or clang++ only");
    }

    string recorded = rest.Length > 0 ? Path.GetFullPath(rest[0]) : launches;
    if (rest.Length == 0)
    {
        Build();
        string emulated = Path.Combine(root, "artifacts", "emulator");
        DateTime built = new[] { Newest(emulated, "*.so"), Newest(Path.GetDirectoryName(Tests())!, "CudaL2Net*.dll") }.Max();
        bool current = File.Exists(launches) && built < File.GetLastWriteTimeUtc(launches);
        string[] small = [.. plain, "--filter", CudaOperations];
        if (!current && !Record(() => Run(Tests(), small, quiet: true) == 0))
        {
            throw new BuildFailed("the tests of the operations fail: see ./build.sh test");
        }
    }

    // Checks of addresses as calls: in line, in large kernels, they take g++ many times as long. What the address detector sees itself, and what only
    // asks whether a pointer wraps around, is left out of the other.
    string[] calls = compiler == "g++"
        ? ["--param", "asan-instrumentation-with-call-threshold=0"]
        : ["-mllvm", "-asan-instrumentation-with-call-threshold=0"];
    string[] undefined = ["-fno-sanitize-recover=undefined", "-fno-sanitize=null,object-size,pointer-overflow"];
    string address = Replay(compiler, "sanitize-address", ["-fsanitize=address,undefined", .. undefined, .. calls], []);
    string races = Replay(compiler, "sanitize-races", ["-fsanitize=thread", "-DEMU_TSAN=1"], ["-fno-sanitize=thread"]);
    Environment.SetEnvironmentVariable("ASAN_OPTIONS", "detect_leaks=0");
    Environment.SetEnvironmentVariable("TSAN_OPTIONS", "halt_on_error=1");
    // The race detector of older compilers does not start where the kernel spreads addresses wider than this.
    bool spread = File.Exists("/proc/sys/vm/mmap_rnd_bits") && int.Parse(File.ReadAllText("/proc/sys/vm/mmap_rnd_bits")) > 28;
    string[] layout = spread ? ["x86_64", "-R"] : ["x86_64"];
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
        codes[i] = Run("setarch", [.. layout, .. detectors[i].Command, recorded], onLine: reports[i].Add, echo: false);
    });
    for (int i = 0; i < detectors.Length; i++)
    {
        Console.WriteLine($"sanitize: {detectors[i].What}");
        reports[i].ForEach(Console.WriteLine);
    }

    int worst = codes.Max();

    // What the detectors are worth: they must find the faults that were planted.
    foreach (string[] command in Planted(address, races))
    {
        if (Run("setarch", [.. layout, .. command], quiet: true) == 0)
        {
            Console.Error.WriteLine($"error: {string.Join(' ', command)} did not notice the planted fault");
            worst = 1;
        }
    }

    Console.WriteLine(worst == 0 ? "sanitize: clean" : "sanitize: FAILED");
    return worst;
}

IEnumerable<string[]> Planted(string address, string races) =>
[
    .. new[] { "fault_global", "fault_shared", "fault_dynamic" }.Select(fault => new[] { address, fault }),
    .. new[] { "fault_race", "fault_write_after_read", "fault_warp" }.Select(fault => new[] { races, fault }),
    [races, "--blocks", "fault_blocks"],
];

// Runs those compilations whose output is older than its source, the headers or this program, several at a time; returns how many.
// What a compiler says is shown, or goes to a file where `report` names one.
int Compile(List<Compilation> steps, DateTime headers, Func<Compilation, string>? report = null)
{
    DateTime program = File.GetLastWriteTimeUtc(SourcePath());
    DateTime Needed(Compilation step) => new[] { headers, program, File.GetLastWriteTimeUtc(step.Source) }.Max();
    List<Compilation> due = [.. steps.Where(step => !File.Exists(step.Output) || File.GetLastWriteTimeUtc(step.Output) < Needed(step))];
    // Large files first, so that no core is left alone with one at the end.
    due.Sort((a, b) => new FileInfo(b.Source).Length.CompareTo(new FileInfo(a.Source).Length));
    int failures = 0;
    Parallel.ForEach(Partitioner.Create(due, EnumerablePartitionerOptions.NoBuffering), new() { MaxDegreeOfParallelism = Environment.ProcessorCount }, step =>
    {
        var start = new ProcessStartInfo(step.Program, [.. step.Flags, step.Source, "-o", step.Output])
        {
            WorkingDirectory = root,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        lock (due)
        {
            if (report != null && process.ExitCode == 0)
            {
                File.WriteAllText(report(step), messages);
            }
            else
            {
                Console.Error.Write(messages);
            }
        }

        if (process.ExitCode != 0)
        {
            Interlocked.Increment(ref failures);
            File.Delete(step.Output);
        }
    });
    return failures == 0 ? due.Count : throw new BuildFailed($"{failures} of {due.Count} files did not compile");
}

static DateTime Newest(string folder, string pattern = "*") =>
    Directory.GetFiles(folder, pattern).Select(File.GetLastWriteTimeUtc).Append(DateTime.MinValue).Max();

static void Report(string message, int compiled)
{
    if (compiled > 0)
    {
        Console.WriteLine(message);
    }
}

void Must(string program, string[] arguments, string failure)
{
    if (Run(program, arguments) != 0)
    {
        throw new BuildFailed(failure);
    }
}

// Runs a program to its end. With onLine, its output passes through us line by line, and is shown if echo says so; quiet shows neither output nor errors.
int Run(string program, string[] arguments, string? folder = null, Action<string>? onLine = null, bool quiet = false, bool echo = true)
{
    bool captured = onLine is not null || quiet;
    var start = new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = folder ?? root,
        UseShellExecute = false,
        RedirectStandardOutput = captured,
        RedirectStandardError = quiet,
    };
    try
    {
        using Process process = Process.Start(start)!;
        if (captured)
        {
            process.OutputDataReceived += (_, received) =>
            {
                if (received.Data is not { } line)
                {
                    return;
                }

                onLine?.Invoke(line);
                if (!quiet && echo)
                {
                    Console.WriteLine(line);
                }
            };
            process.BeginOutputReadLine();
        }

        if (quiet)
        {
            process.BeginErrorReadLine();
        }

        process.WaitForExit();
        return process.ExitCode;
    }
    catch (System.ComponentModel.Win32Exception exception)
    {
        if (quiet)
        {
            return 127;
        }

        throw new BuildFailed($"cannot run {program}: {exception.Message}");
    }
}

static string SourcePath([CallerFilePath] string path = "") => path;

// One run of a compiler: its flags, the file it reads and the file it writes.
file sealed record Compilation(string Program, string[] Flags, string Source, string Output);

file sealed class BuildFailed(string message) : Exception(message);
