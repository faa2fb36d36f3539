using System.Xml.Linq;

namespace CudaL2Net.Build;

/// <summary>
/// Builds the C# projects. Nothing is started where no source has changed since the last build. Analyzers and the documentation file are for
/// <see cref="Lint"/> alone (the property <c>Lint</c> in Directory.Build.props).
/// </summary>
internal static class Solution
{
    private static readonly string[] Options = ["-c", "Release", "-v", "quiet", "--nologo", "-clp:ErrorsOnly"];
    private static readonly string Cli = Path.Combine("src", "CudaL2Net.Cli"), Stamps = Folders.In("artifacts", "stamps");

    // What every project depends on: settings, versions, and the PTX that the library embeds.
    private static readonly string[] Settings = ["Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "global.json"];

    /// <summary>The version of all libraries and of the tool.</summary>
    public static string Version => XElement.Load(Folders.In("Directory.Build.props")).Descendants("Version").First().Value;

    /// <summary>All projects, and the tool.</summary>
    public static void BuildAll()
    {
        Build("all", "CudaL2Net.sln", ["src", "tests", "bench", "samples"], ["tests", "benchmarks"]);
        Publish(built: true);
    }

    /// <summary>The tool alone, without tests and benchmarks.</summary>
    public static void BuildTool() => Publish(built: false);

    /// <summary>The tests, and the projects that they need.</summary>
    public static void BuildTests() => Build("tests", Folders.Tests, ["src", "bench", "tests", "samples"]);

    /// <summary>BenchmarkDotNet's suites, and the projects that they need.</summary>
    public static void BuildBenchmarks() => Build("benchmarks", Path.Combine("bench", "CudaL2Net.Benchmarks"), ["src", "bench"]);

    /// <summary>Downloads the packages that the tool needs; a later build then asks for none.</summary>
    public static void RestoreTool()
    {
        if (!Restored(Cli))
        {
            Processes.Must("dotnet", ["restore", Cli, "-v", "quiet", "--nologo"], "the packages could not be restored");
        }
    }

    /// <summary>The tests as a program of its own that needs no .NET: artifacts/tests.</summary>
    public static void PublishTests()
    {
        string output = Folders.In("artifacts", "tests");
        string system = OperatingSystem.IsWindows() ? "win-x64" : "linux-x64";
        // With what the program itself needs, the packages are others than those of packages.lock.json.
        Processes.Must(
            "dotnet", ["publish", Folders.Tests, .. Options, "-r", system, "--self-contained", "-p:LockedSystem=false", "-o", output], "publishing the tests failed");
        if (File.Exists(Folders.Emulated))
        {
            File.Copy(Folders.Emulated, Path.Combine(output, Path.GetFileName(Folders.Emulated)), overwrite: true);
        }

        Console.WriteLine("published artifacts/tests: copy the folder, and run bench/run-on-gpu.sh or CUDAL2NET_DRIVER=libcuda.so.1 ./CudaL2Net.Tests");
    }

    // Builds a project, and with it those of other names.
    private static void Build(string name, string project, string[] sources, params string[] others) =>
        OnceFor(name, sources, () => Processes.Must("dotnet", ["build", project, .. Options, .. NoRestore(project)], "the build failed"), others);

    private static void Publish(bool built) =>
        OnceFor("tool", ["src", "bench"], () =>
        {
            Processes.Must("dotnet", ["publish", Cli, .. Options, .. built ? ["--no-build"] : NoRestore(Cli), "-o", Folders.Tool], "publishing the tool failed");
            Licences.Publish();
        });

    // Does the work unless it was done since anything changed.
    private static void OnceFor(string name, string[] sources, Action work, params string[] others)
    {
        string stamp = Path.Combine(Stamps, name);
        string kernels = Folders.In("artifacts", "kernels");
        DateTime begun = DateTime.UtcNow;
        DateTime newest = sources.Select(folder => Folders.NewestSource(Folders.In(folder)))
            .Concat(Settings.Select(file => File.GetLastWriteTimeUtc(Folders.In(file))))
            .Append(Folders.Newest(kernels, "*.ptx")).Append(Directory.Exists(kernels) ? Directory.GetLastWriteTimeUtc(kernels) : DateTime.MinValue).Max();
        bool there = name == "tool" ? File.Exists(Folders.ToolProgram) : name is not ("tests" or "all") || File.Exists(Folders.TestProgram);
        if (there && File.Exists(stamp) && File.GetLastWriteTimeUtc(stamp) > newest)
        {
            return;
        }

        work();
        Directory.CreateDirectory(Stamps);
        foreach (string done in others.Append(name).Select(other => Path.Combine(Stamps, other)))
        {
            File.WriteAllText(done, "");
            // What changes during the build is not in it.
            File.SetLastWriteTimeUtc(done, begun);
        }
    }

    private static string[] NoRestore(string project) => Restored(project) ? ["--no-restore"] : [];

    // Whether the packages of a project (or, of a solution, of all) are there as its file asks for them.
    private static bool Restored(string project)
    {
        string[] roots = project == Cli ? ["src", Path.Combine("bench", "CudaL2Net.Bench")] : ["src", "tests", "bench", "samples"];
        string[] files = [.. roots.SelectMany(folder => Directory.EnumerateFiles(Folders.In(folder), "*.csproj", SearchOption.AllDirectories))];
        DateTime asked = files.Concat(Settings.Select(file => Folders.In(file))).Max(File.GetLastWriteTimeUtc);
        return files.All(file => Path.Combine(Path.GetDirectoryName(file)!, "obj", "project.assets.json") is var assets
            && File.Exists(assets) && File.GetLastWriteTimeUtc(assets) > asked);
    }
}
