#:property PublishAot=false
#:property TieredCompilation=true

// The whole build, for every system. `./build.sh TARGET` (`build.ps1` on Windows) hands over to it; `dotnet run build.cs -- TARGET` is the same.
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

const string Usage = """
    usage: ./build.sh [TARGET] [ARGUMENTS]

      build    build everything; the tool is then artifacts/cudal2net/cudal2net      (the default)
      test     build, run all tests; arguments go to the test program (--filter ...)
      demo     build, train for a few minutes and show the results; arguments go to `cudal2net demo` (--minutes 1, --out DIR)
      bench    build, run a benchmark: fma, convolution, ladder, describe, train, all (--json FILE), operations
      format   check the formatting of the sources
      setup    install the system libraries that are missing (Debian and Ubuntu)
      clean    remove everything that was built
    """;

string root = Path.GetDirectoryName(SourcePath())!;
string tool = Path.Combine(root, "artifacts", "cudal2net");
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
    string[] projects = Directory.GetFiles(Path.Combine(root, "tests"), "*.Tests.csproj", SearchOption.AllDirectories);
    foreach (string project in projects.Order(StringComparer.Ordinal))
    {
        string name = Path.GetFileNameWithoutExtension(project);
        string program = Path.Combine(Path.GetDirectoryName(project)!, "bin", "Release", "net10.0", name + suffix);
        var counts = new Dictionary<string, int> { ["succeeded"] = 0, ["failed"] = 0, ["skipped"] = 0 };
        int code = Run(program, ["--no-ansi", "--progress", "off", "--output", "detailed", .. rest], root, line =>
        {
            Match summary = Regex.Match(line, @"^\s+(succeeded|failed|skipped): (\d+)\s*$");
            if (summary.Success)
            {
                counts[summary.Groups[1].Value] = int.Parse(summary.Groups[2].Value);
            }
        });
        passed += counts["succeeded"];
        failed += counts["failed"];
        skipped += counts["skipped"];
        worst = Math.Max(worst, code);
    }

    if (passed + failed == 0)
    {
        Console.Error.WriteLine("error: no test ran");
        worst = Math.Max(worst, 1);
    }

    Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
    return failed > 0 ? 1 : worst;
}

int Bench()
{
    string bench = Path.Combine(root, "bench");
    string project = Directory.Exists(bench)
        ? Directory.EnumerateFiles(bench, "*.Benchmarks.csproj", SearchOption.AllDirectories).FirstOrDefault() ?? ""
        : "";
    if (project.Length == 0)
    {
        throw new BuildFailed("there is no benchmark project under bench/");
    }

    // In the caller's folder, which the files that the arguments name are relative to.
    string[] command = ["run", "--no-build", "-c", "Release", "--project", project, "--", .. rest];
    return Run("dotnet", command, Directory.GetCurrentDirectory());
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
    string advice = "they come with GTK 3 and a font package such as DejaVu: install these with your system's package tool";
    if (!File.Exists("/usr/bin/apt-get"))
    {
        Console.Error.WriteLine($"warning: missing on this system: {what}; {advice}");
        return;
    }

    bool root = Environment.UserName == "root";
    bool sudo = !root && File.Exists("/usr/bin/sudo") && (!Console.IsInputRedirected || Run("sudo", ["-n", "true"], quiet: true) == 0);
    string[] prefix = root ? [] : ["sudo"];
    if (!root && !sudo)
    {
        Console.Error.WriteLine($"warning: missing on this system: {what}. "
            + "As an administrator run:  apt-get update && apt-get install -y libgtk-3-0 fonts-dejavu-core");
        return;
    }

    Console.WriteLine($"installing what is missing on this system: {what}");
    Apt([.. prefix, "apt-get", "update", "-q"]);
    // Debian 13 and Ubuntu 24.04 renamed the package when time_t grew to 64 bits.
    string gtk = Run("apt-cache", ["show", "libgtk-3-0t64"], quiet: true) == 0 ? "libgtk-3-0t64" : "libgtk-3-0";
    Apt([.. prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends", gtk, "fonts-dejavu-core"]);
    missing = MissingLibraries();
    if (missing.Length > 0)
    {
        Console.Error.WriteLine($"warning: still missing: {string.Join(", ", missing)}; commands that read pictures will not work");
    }
}

void Apt(string[] command)
{
    if (Run(command[0], command[1..]) != 0)
    {
        Console.Error.WriteLine($"warning: `{string.Join(' ', command)}` failed; commands that read pictures or draw plots may not work");
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

void Must(string program, string[] arguments, string failure)
{
    if (Run(program, arguments) != 0)
    {
        throw new BuildFailed(failure);
    }
}

// Runs a program to its end. With onLine, its output passes through us line by line; quiet shows none of it.
int Run(string program, string[] arguments, string? folder = null, Action<string>? onLine = null, bool quiet = false)
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
                if (!quiet)
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

file sealed class BuildFailed(string message) : Exception(message);
