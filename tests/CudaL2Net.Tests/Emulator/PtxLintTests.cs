using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace CudaL2Net.Tests.Emulator;

/// <summary>What can be said of the kernels' PTX without an assembler, and that the launches fit it.</summary>
public sealed partial class PtxLintTests
{
    /// <summary>Kernels that may use local memory, with the reason.</summary>
    private static readonly Dictionary<string, string> LocalMemoryAllowed = [];

    /// <summary>The ISA version that a target came with.</summary>
    private static readonly Dictionary<string, int> TargetVersions = new() { ["sm_80"] = 70, ["sm_90a"] = 80 };

    /// <summary>The library's PTX, file by file.</summary>
    internal static IEnumerable<TestCaseData> Files =>
        PtxFile.All.Count > 0
            ? PtxFile.All.Select(file => new TestCaseData(file).SetArgDisplayNames(file.Name))
            : [new TestCaseData([null]).Ignore("this build has no kernels: neither nvcc nor clang was there")];

    [TestCaseSource(nameof(Files))]
    public void TheVersionIsTheLowestThatSuffices(object source)
    {
        var file = (PtxFile)source;
        Assert.That(TargetVersions.Keys, Does.Contain(file.Target));
        int needed = file.Entries.SelectMany(entry => entry.Opcodes).Select(PtxInstructions.VersionOf).Append(TargetVersions[file.Target]).Max();
        Assert.That(file.Version, file.IsOfClang ? Is.EqualTo(needed) : Is.GreaterThanOrEqualTo(needed));
    }

    [TestCaseSource(nameof(Files))]
    public void EveryInstructionIsKnown(object source)
    {
        var file = (PtxFile)source;
        Assert.That(file.Entries, Is.Not.Empty);
        Assert.That(file.Entries.Where(entry => !entry.Opcodes.Any()), Is.Empty);
        string[] unknown = [.. file.Entries.SelectMany(entry => entry.Opcodes).Distinct().Where(opcode => PtxInstructions.VersionOf(opcode) == 0)];
        Assert.That(unknown, Is.Empty, "not in PtxInstructions: is it PTX of this version, and allowed?");
    }

    [TestCaseSource(nameof(Files))]
    public void NothingIsCalled(object source)
    {
        var file = (PtxFile)source;
        Assert.That(file.Code, Does.Not.Contain(".func"));
        Assert.That(Call().Matches(file.Code).Select(call => call.Value), Is.Empty);
    }

    [TestCaseSource(nameof(Files))]
    public void RegistersAndLabelsAreDeclared(object source)
    {
        foreach (PtxEntry entry in ((PtxFile)source).Entries)
        {
            Assert.Multiple(() =>
            {
                Assert.That(entry.UndeclaredRegisters(), Is.Empty, entry.Name);
                Assert.That(entry.UndefinedLabels(), Is.Empty, entry.Name);
            });
        }
    }

    [TestCaseSource(nameof(Files))]
    public void KernelsAreBoundedAndStayInRegistersAndSharedMemory(object source)
    {
        foreach (PtxEntry entry in ((PtxFile)source).Entries)
        {
            Assert.Multiple(() =>
            {
                Assert.That(entry.IsBounded, Is.True, $"{entry.Name} has no __launch_bounds__");
                Assert.That(entry.SharedBytes, Is.LessThanOrEqualTo(48 * 1024), entry.Name);
                Assert.That(entry.Body.Contains(".local", StringComparison.Ordinal), Is.EqualTo(LocalMemoryAllowed.ContainsKey(entry.Name)),
                    $"{entry.Name}: local memory");
            });
        }
    }

    [Test]
    public void NoMoreThanNineRegistersAreSpilled()
    {
        string folder = Path.Combine(Root(), "artifacts", "kernels");
        string[] reports = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.ptxas") : [];
        if (reports.Length == 0)
        {
            Assert.Ignore("no report of ptxas: it was not on PATH when the kernels were compiled");
        }

        // The assembler parks some in kernels that it squeezes under the limit for one more block: up to 4 of clang's PTX, up to 9 of nvcc's.
        const int Most = 9 * sizeof(uint);
        var spilling = reports.SelectMany(File.ReadLines).Where(line => Spill().Match(line) is { Success: true } spill && int.Parse(spill.Groups[1].Value) > Most);
        Assert.That(spilling, Is.Empty);
    }

    /// <summary>Every launch in Kernels/Cuda names a kernel that is there and gives as many arguments as it has parameters.</summary>
    [Test]
    public void LaunchesFitTheKernels()
    {
        string folder = Path.Combine(Root(), "src", "CudaL2Net", "Kernels", "Cuda");
        if (!Directory.Exists(folder) || PtxFile.All.Count == 0)
        {
            Assert.Ignore("no sources beside the tests, or no kernels in this build");
        }

        var checkedLaunches = 0;
        foreach (string path in Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string code = File.ReadAllText(path);
            foreach (Match call in LaunchCall().Matches(code))
            {
                string[] arguments = Arguments(code, call.Index + call.Length);
                // file, kernel, grid, threads, shared bytes, the kernel's own
                if (arguments.Length < 5 || call.Value.Contains("void", StringComparison.Ordinal) || !IsKernelFile(arguments[0]))
                {
                    continue;
                }

                PtxEntry[] kernels = [.. Candidates(code[..call.Index], arguments[0], arguments[1])];
                string where = $"{Path.GetFileName(path)}: Launch({arguments[0]}, {arguments[1]}, ...)";
                Assert.That(kernels, Is.Not.Empty, where);
                foreach (PtxEntry kernel in kernels)
                {
                    Assert.That(arguments.Length - 5, Is.EqualTo(kernel.Parameters), $"{where}: arguments for the parameters of {kernel.Name}");
                }

                checkedLaunches++;
            }
        }

        Assert.That(checkedLaunches, Is.GreaterThan(10));
    }

    [Test]
    public void TheLintSeesWhatIsWrong()
    {
        var file = new PtxFile("wrong", """
            .version 7.0
            .target sm_80
            .visible .entry wrong(.param .u64 wrong_param_0, .param .u32 wrong_param_1)
            {
                .reg .b32 %r<2>;
                .local .align 4 .b8 buffer[16];
                .shared .align 4 .b8 large[50000];
                mov.u32 %r1, %tid.x;
                add.s32 %r2, %r1, 1;   // %r2 is not declared
                @%p1 bra $missing;
                red.global.add.f32 [%rd0], %f1;
                ret;
            }
            """);
        PtxEntry entry = file.Entries.Single();
        Assert.Multiple(() =>
        {
            Assert.That(file.Version, Is.EqualTo(70));
            Assert.That(entry.Parameters, Is.EqualTo(2));
            Assert.That(entry.IsBounded, Is.False);
            Assert.That(entry.SharedBytes, Is.EqualTo(50000));
            Assert.That(entry.UndeclaredRegisters(), Is.EquivalentTo(new[] { "%r2", "%p1", "%rd0", "%f1" }));
            Assert.That(entry.UndefinedLabels(), Is.EqualTo(new[] { "$missing" }));
            Assert.That(entry.Opcodes, Is.EqualTo(new[] { "mov.u32", "add.s32", "bra", "red.global.add.f32", "ret" }));
            Assert.That(PtxInstructions.VersionOf("red.global.add.f32"), Is.Zero);
        });
    }

    private static bool IsKernelFile(string argument) => !argument.StartsWith('"') || PtxFile.All.Any(file => file.Name == argument.Trim('"'));

    /// <summary>The kernels that a launch may mean: its name as a literal, an interpolated string, or a variable set from literals before it.</summary>
    private static IEnumerable<PtxEntry> Candidates(string before, string file, string name)
    {
        if (Identifier().IsMatch(name))
        {
            int set = before.LastIndexOf($" {name} = ", StringComparison.Ordinal);
            name = set < 0 ? "" : before[set..before.IndexOf(';', set)];
        }

        if (name.Contains("$\"", StringComparison.Ordinal))
        {
            name = Hole().Replace(name, "HOLE");
        }

        string[] patterns =
            [.. Literal().Matches(name).Select(literal => Regex.Escape(literal.Groups[1].Value).Replace("HOLE", ".*", StringComparison.Ordinal))];
        return PtxFile.All.Where(ptx => !file.StartsWith('"') || ptx.Name == file.Trim('"')).SelectMany(ptx => ptx.Entries)
            .Where(entry => patterns.Any(pattern => Regex.IsMatch(entry.Name, $"^{pattern}$", RegexOptions.CultureInvariant)));
    }

    /// <summary>The arguments of a call, from after its parenthesis.</summary>
    private static string[] Arguments(string code, int start)
    {
        var arguments = new List<string>();
        int depth = 0;
        bool quoted = false;
        for (int i = start; i < code.Length; i++)
        {
            quoted ^= code[i] == '"';
            if (quoted)
            {
                continue;
            }

            bool closes = depth == 0 && code[i] == ')';
            if (closes || (depth == 0 && code[i] == ','))
            {
                arguments.Add(code[start..i].Trim());
                start = i + 1;
            }

            if (closes)
            {
                break;
            }

            depth += code[i] is '(' or '[' or '{' ? 1 : code[i] is ')' or ']' or '}' ? -1 : 0;
        }

        return [.. arguments];
    }

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));

    [GeneratedRegex(@"^\s*(@!?%\w+\s+)?call\b[^;]*", RegexOptions.Multiline)]
    private static partial Regex Call();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex Spill();

    [GeneratedRegex(@"(void |\b)Launch\(")]
    private static partial Regex LaunchCall();

    [GeneratedRegex(@"^\w+$")]
    private static partial Regex Identifier();

    [GeneratedRegex("""
        "([^"]*)"
        """)]
    private static partial Regex Literal();

    [GeneratedRegex(@"\{[^{}]*\}")]
    private static partial Regex Hole();
}
