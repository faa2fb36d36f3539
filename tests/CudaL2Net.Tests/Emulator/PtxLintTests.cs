using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using CudaL2Net.Kernels.Cuda;

namespace CudaL2Net.Tests.Emulator;

/// <summary>What can be said of the kernels' PTX without an assembler.</summary>
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

    /// <summary>Launches are compared with what <see cref="KernelSignatures"/> reads.</summary>
    [TestCaseSource(nameof(Files))]
    public void TheLibraryFindsTheParametersOfAllKernels(object source)
    {
        var file = (PtxFile)source;
        var signatures = new KernelSignatures(file.Name, Encoding.UTF8.GetBytes(file.Code));
        Assert.That(signatures.Kernels, Is.EquivalentTo(file.Entries.Select(entry => entry.Name)));
        foreach (PtxEntry entry in file.Entries)
        {
            Assert.That(signatures.Of(entry.Name), Has.Length.EqualTo(entry.Parameters).And.All.GreaterThanOrEqualTo(4), entry.Name);
        }
    }

    /// <summary>A block must not have more threads than its kernel is compiled for.</summary>
    [TestCase("describe_tower", "describe_tower_threads")]
    [TestCase("describe_tower_int8", "describe_tower_threads")]
    [TestCase("describe_project", "describe_project_threads")]
    public void TheThreadsThatTheHostReadsAreThoseOfTheKernel(string kernel, string constant)
    {
        PtxFile file = PtxFile.All.FirstOrDefault(one => one.Name == "describe") ?? throw new IgnoreException("this build has no kernels");
        var signatures = new KernelSignatures(file.Name, Encoding.UTF8.GetBytes(file.Code));
        Match bound = Regex.Match(file.Code, $@"\.entry\s+{kernel}\s*\([^)]*\)\s*\.maxntid\s+(\d+)");
        Assert.That(bound.Success, "the kernel has no launch bounds");
        Assert.That(signatures.Constant(constant), Is.EqualTo(new[] { int.Parse(bound.Groups[1].Value) }));
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

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));

    [GeneratedRegex(@"^\s*(@!?%\w+\s+)?call\b[^;]*", RegexOptions.Multiline)]
    private static partial Regex Call();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex Spill();
}
