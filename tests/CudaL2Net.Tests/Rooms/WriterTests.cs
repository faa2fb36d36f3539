using System.Text.RegularExpressions;

namespace CudaL2Net.Tests.Rooms;

/// <summary>
/// Files are written through AtomicFile alone: under a random name, and given their own when they are whole. So no output is ever half written, and no link is
/// followed.
/// </summary>
public sealed class WriterTests
{
    private const string Writers =
        @"\bFile\.(Write|Append|Create|OpenWrite|OpenHandle|Move|Copy|Replace)|\bnew FileStream\(|\bImWrite\(|\bFileMode\.(?!Open\b)|\bnew StreamWriter\((?!stream\b)|\.Save(Png|Jpeg|Svg)?\(";

    // Who else writes, and why.
    private static readonly Dictionary<string, string> Others = new()
    {
        ["RunFiles.cs"] = "the log of a training grows line by line; a line that was cut off is dropped by the resumed run",
        ["DescriptorStore.cs"] = "a temporary file of its own, made new, that the system removes when it is closed",
    };

    [Test]
    public void FilesAreWrittenInOnePlace()
    {
        string[] found =
        [
            .. from folder in new[] { "src", "bench" }
               from file in Directory.EnumerateFiles(Path.Combine(Repository.Folder, folder), "*.cs", SearchOption.AllDirectories)
               where !Regex.IsMatch(file, @"[/\\](obj|bin)[/\\]|Formats[/\\]Disk[/\\]")
               from line in File.ReadAllLines(file)
               where !line.TrimStart().StartsWith("//", StringComparison.Ordinal) && Regex.IsMatch(line, Writers)
               select $"{Path.GetFileName(file)}: {line.Trim()}",
        ];
        Assert.That(found.Where(line => !Others.ContainsKey(line.Split(':')[0])), Is.Empty, "write through AtomicFile");
        Assert.That(found.Select(line => line.Split(':')[0]).Distinct(), Is.EquivalentTo(Others.Keys), "who no longer writes leaves the list");
    }
}
