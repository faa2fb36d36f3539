using System.Text;
using System.Text.RegularExpressions;
using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Emulator;

/// <summary>The PTX of one kernel file, as the library carries it.</summary>
internal sealed partial class PtxFile
{
    private const string Prefix = "CudaL2Net.Kernels.", Suffix = ".ptx";

    /// <summary>Reads PTX.</summary>
    /// <param name="name">The kernel file's name, and the target where it is not sm_80.</param>
    /// <param name="text">Its text.</param>
    public PtxFile(string name, string text)
    {
        Name = name;
        // nvcc's versions are its toolkit's: what is needed cannot be asked of it.
        IsOfClang = text.Contains("LLVM NVPTX", StringComparison.Ordinal);
        string code = Comment().Replace(text, "");
        Version = VersionLine().Match(code).Groups[1].Value.Replace(".", "", StringComparison.Ordinal) is { Length: > 0 } digits ? int.Parse(digits) : 0;
        Target = TargetLine().Match(code).Groups[1].Value;
        Entries = [.. EntryHead().Matches(code).Select(head => new PtxEntry(
            head.Groups[1].Value,
            head.Groups[2].Value.Split(".param").Length - 1,
            head.Groups[3].Value.Contains(".maxntid", StringComparison.Ordinal),
            Body(code, head.Index + head.Length)))];
        Code = code;
    }

    /// <summary>All that the library carries.</summary>
    public static IReadOnlyList<PtxFile> All { get; } = Load();

    public string Name { get; }

    public bool IsOfClang { get; }

    /// <summary>70 is ISA version 7.0.</summary>
    public int Version { get; }

    public string Target { get; }

    public IReadOnlyList<PtxEntry> Entries { get; }

    /// <summary>The text without comments.</summary>
    public string Code { get; }

    public override string ToString() => Name;

    private static List<PtxFile> Load()
    {
        var files = new List<PtxFile>();
        var assembly = typeof(Device).Assembly;
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
            files.Add(new PtxFile(resource[Prefix.Length..^Suffix.Length], reader.ReadToEnd()));
        }

        return files;
    }

    /// <summary>What is between the brace at <paramref name="open"/> - 1 and its counterpart.</summary>
    private static string Body(string code, int open)
    {
        int depth = 1, end = open;
        for (; end < code.Length && depth > 0; end++)
        {
            depth += code[end] == '{' ? 1 : code[end] == '}' ? -1 : 0;
        }

        return code[open..Math.Max(open, end - 1)];
    }

    [GeneratedRegex("//[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^\s*\.version\s+(\d+\.\d+)", RegexOptions.Multiline)]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^\s*\.target\s+(\w+)", RegexOptions.Multiline)]
    private static partial Regex TargetLine();

    [GeneratedRegex(@"\.entry\s+([\w$]+)\s*\(([^)]*)\)([^{;]*)\{")]
    private static partial Regex EntryHead();
}

/// <summary>One kernel of a PTX file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">How many it has.</param>
/// <param name="IsBounded">Whether the threads of a block are bounded.</param>
/// <param name="Body">Its code.</param>
internal sealed partial record PtxEntry(string Name, int Parameters, bool IsBounded, string Body)
{
    /// <summary>The opcodes of its instructions, with all their modifiers.</summary>
    public IEnumerable<string> Opcodes =>
        from statement in Body.Split(';', '{', '}', '\n')
        let instruction = Instruction().Match(statement)
        where instruction.Success && !instruction.Groups[1].Value.StartsWith('.')
        select instruction.Groups[1].Value;

    /// <summary>Bytes of static shared memory.</summary>
    public int SharedBytes =>
        SharedDeclaration().Matches(Body).Sum(declaration =>
            int.Parse(declaration.Groups[1].Value) / 8 * (declaration.Groups[2].Success ? int.Parse(declaration.Groups[2].Value) : 1));

    /// <summary>Registers that are used but not declared.</summary>
    public IEnumerable<string> UndeclaredRegisters()
    {
        var counts = RegisterRange().Matches(Body).ToDictionary(range => range.Groups[1].Value, range => int.Parse(range.Groups[2].Value));
        var single = RegisterList().Matches(Body).SelectMany(list => list.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries)).ToHashSet();
        return Register().Matches(Body).Select(register => (Name: register.Value, Kind: register.Groups[1].Value, Number: register.Groups[2].Value)).Distinct()
            .Where(register => !single.Contains(register.Name) && !(counts.TryGetValue(register.Kind, out int count) && int.Parse(register.Number) < count))
            .Select(register => register.Name);
    }

    /// <summary>Labels that are jumped to but not there.</summary>
    public IEnumerable<string> UndefinedLabels()
    {
        var defined = Label().Matches(Body).Select(label => label.Groups[1].Value).ToHashSet();
        return Branch().Matches(Body).Select(branch => branch.Groups[1].Value).Distinct().Where(label => !defined.Contains(label));
    }

    [GeneratedRegex(@"^\s*(?:[\w$]+:\s*)?(?:@!?%?\w+\s+)?([a-z][a-z0-9]*(?:\.[a-zA-Z0-9_:]+)*)(?=\s|$)")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"\.shared\s+\.align\s+\d+\s+\.[busf](\d+)\s+[\w$]+(?:\[(\d+)\])?\s*;")]
    private static partial Regex SharedDeclaration();

    [GeneratedRegex(@"\.reg\s+\.\w+\s+(%\w+?)<(\d+)>")]
    private static partial Regex RegisterRange();

    [GeneratedRegex(@"\.reg\s+\.\w+\s+([\w%]+(?:\s*,\s*[\w%]+)*)\s*;")]
    private static partial Regex RegisterList();

    [GeneratedRegex(@"(%(?!tid|ntid|ctaid|nctaid|laneid|warpid)[a-z]+)(\d+)\b")]
    private static partial Regex Register();

    [GeneratedRegex(@"^\s*([\w$]+):", RegexOptions.Multiline)]
    private static partial Regex Label();

    [GeneratedRegex(@"\bbra(?:\.uni)?\s+([\w$]+)")]
    private static partial Regex Branch();
}
