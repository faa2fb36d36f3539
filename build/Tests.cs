using System.Text.RegularExpressions;

namespace CudaL2Net.Build;

/// <summary>Runs the tests.</summary>
internal static class Tests
{
    /// <summary>The tests that launch every kernel at small shapes.</summary>
    public const string Operations = "FullyQualifiedName~Tests.Kernels.", CudaOperations = $"TestCategory=Cuda&{Operations}";

    private static readonly string[] Plain = ["--no-ansi", "--progress", "off", "--settings", Folders.In(Folders.Tests, ".runsettings")];

    // The emulator runs kernels as the PTX that a GPU is given, instead of as C++.
    private static readonly Dictionary<string, string> AsPtx = new() { ["CUDAL2NET_EMULATOR_PTX"] = "1" };

    private static readonly Lock Counting = new();

    private static int passed, failed, skipped, worst;

    /// <summary>Runs the tests' program; returns its exit code.</summary>
    public static int Run(string[] arguments, IReadOnlyDictionary<string, string>? environment = null, bool quiet = false) =>
        Processes.Run(Folders.TestProgram, [.. Plain, .. arguments], quiet: quiet, environment: environment);

    /// <summary>
    /// Runs all tests, and the commands on the emulated device; or the tests that these arguments of the tests' program choose. Returns the exit code. The last
    /// line is <c>N passed, N failed, N skipped</c>.
    /// </summary>
    public static int All(string[] arguments)
    {
        if (arguments.Length > 0)
        {
            Count(arguments, null);
        }
        else
        {
            // The tests of the operations run their kernels as PTX, and what they launch is what `sanitize` runs again. All other tests run kernels as C++.
            // Most of a test keeps one core busy, so both run at once; what the first say is shown when they are done.
            var lines = new List<string>();
            Processes.SideBySide(
                () => Sanitize.Record(recording => Count(["--filter", Operations], recording.Concat(AsPtx).ToDictionary(), lines.Add) == 0),
                () => Count(["--filter", Operations.Replace("~", "!~", StringComparison.Ordinal)], null));
            lines.ForEach(Console.WriteLine);
            RunCommands();
        }

        return Report();
    }

    /// <summary>Runs the tests of one operation, on the CPU and on emulated CUDA; an unknown name lists what there is. Returns the exit code.</summary>
    public static int Check(string? name)
    {
        string[] operations = Classes(Path.Combine(Folders.Tests, "Kernels")), others = [.. Classes(Folders.Tests).Except(operations)];
        string asked = (name ?? "").Replace("_", "").Replace("-", "");
        bool Is(string tests) => tests.Equals(asked, StringComparison.OrdinalIgnoreCase);
        bool Has(string tests) => asked != "" && tests.Contains(asked, StringComparison.OrdinalIgnoreCase);

        // The class of that name; else operations with the name in theirs; else whatever has it.
        string[] all = [.. operations, .. others];
        string[] chosen = new[] { all.Where(Is), operations.Where(Has), all.Where(Has) }.Select(found => found.ToArray()).FirstOrDefault(found => found.Length > 0, []);
        if (chosen.Length == 0)
        {
            string List(string[] names) => string.Join('\n', names.Chunk(8).Select(line => "  " + string.Join(", ", line)));
            Console.Error.WriteLine(
                $"error: {(name is null ? "check needs a name" : $"no tests are named '{name}'")}. Operations:\n{List(operations)}\nOther tests:\n{List(others)}");
            return 2;
        }

        Processes.SideBySide(Kernels.Compile, Emulator.Compile);
        Solution.BuildTests();
        Console.WriteLine($"tests of {string.Join(", ", chosen)}");
        string filter = string.Join('|', chosen.Select(tests => $"FullyQualifiedName~.{tests}Tests"));
        Count(["--filter", filter], null);
        return Report();
    }

    // The names of the classes of tests in a folder, without `Tests`.
    private static string[] Classes(string folder) =>
    [
        .. Directory.EnumerateFiles(Folders.In(folder), "*Tests.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Select(file => Path.GetFileNameWithoutExtension(file)[..^"Tests".Length]).Order(StringComparer.OrdinalIgnoreCase),
    ];

    private static int Report()
    {
        if (passed + failed == 0)
        {
            Console.Error.WriteLine("error: no test ran");
            worst = Math.Max(worst, 1);
        }

        Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
        return failed > 0 ? 1 : worst;
    }

    // Runs the tests' program and adds up its summary; returns its exit code. The output goes to `show`, or is shown at once.
    private static int Count(string[] arguments, IReadOnlyDictionary<string, string>? environment, Action<string>? show = null)
    {
        int code = Processes.Run(Folders.TestProgram, [.. Plain, "--output", "detailed", .. arguments], environment: environment, echo: show is null, onLine: line =>
        {
            show?.Invoke(line);
            Match summary = Regex.Match(line, @"^\s+(succeeded|failed|skipped): (\d+)\s*$");
            int count = summary.Success ? int.Parse(summary.Groups[2].Value) : 0;
            lock (Counting)
            {
                passed += summary.Groups[1].Value == "succeeded" ? count : 0;
                failed += summary.Groups[1].Value == "failed" ? count : 0;
                skipped += summary.Groups[1].Value == "skipped" ? count : 0;
            }
        });
        lock (Counting)
        {
            worst = Math.Max(worst, code);
        }

        return code;
    }

    // The commands as a user has them, on the emulated device: one more test.
    private static void RunCommands()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists(Folders.Emulated))
        {
            return;
        }

        int code = Processes.Run(Folders.In("tests", "cli-on-emulator.sh"), [Folders.ToolProgram, Folders.Emulated]);
        passed += code == 0 ? 1 : 0;
        failed += code == 0 ? 0 : 1;
    }
}
