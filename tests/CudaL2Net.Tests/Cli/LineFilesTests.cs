using System.CommandLine;
using System.Diagnostics;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Files;

namespace CudaL2Net.Tests.Cli;

/// <summary>No command writes over what it reads or writes elsewhere, and what cannot be written is told before the work.</summary>
[Platform("Linux")]
public sealed class LineFilesTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFiles()
    {
        folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["real"]);
        File.WriteAllText(folder["real/victim"], "untouched");
        File.CreateSymbolicLink(folder["link"], "real/victim");
        Directory.CreateSymbolicLink(folder["other"], folder["real"]);
        using Process hard = Process.Start("ln", [folder["real/victim"], folder["hard"]]);
        hard.WaitForExit();
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    private static IEnumerable<TestCaseData> OutputsAndOthers() =>
        from node in CommandTree.Nodes()
        let symbols = FileUses.SymbolsOf(node.Command).ToArray()
        from output in symbols.Where(symbol => FileUses.Of(node.Command, symbol) is FileUse.Writes)
        from other in symbols.Where(symbol => symbol != output && FileUses.Of(node.Command, symbol) is FileUse.Reads or FileUse.Writes)
        where !(output.Name == "--out" && other.Name == "--pairs")
        select new TestCaseData(node, output, other).SetArgDisplayNames([.. node.Words, output.Name, other.Name]);

    private static IEnumerable<TestCaseData> Outputs() =>
        from node in CommandTree.Nodes()
        from output in FileUses.SymbolsOf(node.Command).Where(symbol => FileUses.Of(node.Command, symbol) is FileUse.Writes)
        select new TestCaseData(node, output).SetArgDisplayNames([.. node.Words, output.Name]);

    [Test]
    public void EveryTextOfEveryCommandIsKnownToNameFilesOrNot()
    {
        foreach (CommandTree.Node node in CommandTree.Nodes())
        {
            foreach (Symbol symbol in FileUses.SymbolsOf(node.Command))
            {
                Assert.That(() => FileUses.Of(node.Command, symbol), Throws.Nothing);
            }
        }
    }

    [TestCaseSource(nameof(OutputsAndOthers))]
    public void AnOutputThatIsAnInputOrAnotherOutputIsRefusedByWhateverPath(CommandTree.Node node, Symbol output, Symbol other)
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, folder["real/victim"]);
        Command root = CommandTree.Root;
        foreach (string path in new[] { folder["real/victim"], folder["./real//victim"], folder["link"], folder["other/victim"], folder["hard"], relative, folder["real/victim/"] })
        {
            ParseResult line = root.Parse([.. node.Words, .. Line(node, (other, folder["real/victim"]), (output, path))]);
            Assert.That(line.Errors, Is.Empty);
            Assert.That(
                () => LineFiles.Check(line),
                Throws.TypeOf<UsageException>().With.Message.Contains("nothing was changed").And.Message.Contains(output.Name).And.Message.Contains(other.Name), path);
        }

        CommandLine.Run([.. node.Words, .. Line(node, (other, folder["real/victim"]), (output, folder["link"]))]).Explains(2, "nothing was changed", output.Name, other.Name);
        Assert.That(File.ReadAllText(folder["real/victim"]), Is.EqualTo("untouched"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(4));
        Assert.That(Directory.GetFileSystemEntries(folder["real"]), Has.Length.EqualTo(1));
    }

    [TestCaseSource(nameof(Outputs))]
    [Platform("Unix")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void AnOutputThatCannotBeWrittenIsToldBeforeTheWork(CommandTree.Node node, Symbol output)
    {
        File.SetUnixFileMode(folder["real/victim"], UnixFileMode.UserRead);
        Directory.CreateDirectory(folder["taken.html"]);
        bool isFolder = CommandTree.IsFolder(node, output);
        string[] places = isFolder ? [folder["real/victim"], folder["real/victim/below"]] : [folder["real/victim"], folder["real/victim/below.html"], folder["taken.html"]];
        foreach (string place in output.Name == "--report" || isFolder ? places : [.. places, folder["missing/file"]])
        {
            CommandLine run = CommandLine.Run([.. node.Words, .. Line(node, (output, place))]);
            run.Explains(1, "cannot be ");
            Assert.That(run.Error, Does.Contain(place).And.Not.Contain("..."), "no work was begun");
            Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(5));
        }
    }

    [TestCase("evaluate", "hpatches", "{0}", "--report", "{0}/splits.html")]
    [TestCase("evaluate", "brown", "{0}", "--csv", "{0}/info.txt")]
    [TestCase("evaluate", "sequences", "{0}", "--csv", "{0}/H1to2p")]
    [TestCase("evaluate", "oxford", "{0}", "--csv", "{0}/img1.png")]
    [TestCase("describe", "{0}/img1.png", "--out", "{0}/new.npy", "--keypoints-out", "{0}/new.npy")]
    [TestCase("describe", "{0}/img1.png", "--keypoints", "{0}/k.csv", "--out", "{0}/k.csv")]
    [TestCase("describe", "{0}/img1.png", "--model", "{0}/run", "--out", "{0}/run/model.safetensors")]
    [TestCase("export", "--format", "safetensors", "--model", "{0}/run", "--out", "{0}/run/model.safetensors")]
    [TestCase("train", "--data", "synthetic", "--init", "{0}/run", "--out", "{0}/run")]
    [TestCase("train", "--data", "synthetic", "--init", "{0}/run/model.safetensors", "--out", "{0}/run")]
    [TestCase("train", "--data", "images:{0}", "--out", "{0}/.")]
    [TestCase("demo", "--sequences", "{0}/demo/sequences/viewpoint", "--out", "{0}/demo")]
    [TestCase("reproduce", "table2", "--brown", "{0}/brown", "--out", "{0}")]
    [TestCase("data", "make-brown", "--images", "{0}/brown", "--out", "{0}")]
    [TestCase("evaluate", "brown", "x", "--report", "{0}/page.html", "--csv", "{0}/page.csv")]
    [TestCase("evaluate", "brown", "x", "--method", "sift,onnx:{0}/net.json", "--report", "{0}/net.html")]
    public void AlsoWhatIsFoundOrWrittenBesideTheNameIsSafe(params string[] words)
    {
        string[] names = ["splits.json", "info.txt", "H1to2p", "img1.png", "k.csv", "run/model.safetensors", "demo/sequences/viewpoint/img1.png", "brown/a", "net.json"];
        foreach (string name in names)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder["data/" + name])!);
            File.WriteAllText(folder["data/" + name], name);
        }

        CommandLine.Run([.. words.Select(word => word.Replace("{0}", folder["data"]))]).Explains(2, "nothing was changed", "choose another place");
        Assert.That(names.Select(name => File.ReadAllText(folder["data/" + name])), Is.EqualTo(names));
    }

    [Test]
    public void AnOutputBesideItsInputsIsNoFault()
    {
        File.WriteAllText(folder["real/scores.csv"], "of an earlier run");
        CommandLine.Run("evaluate", "brown", folder["real"], "--csv", folder["real/scores.csv"], "--report", folder["real/page.html"]).Explains(1, "info.txt");
    }

    [TestCase("")]
    [TestCase("  ")]
    public void AnEmptyNameIsRefused(string name) => CommandLine.Run("describe", folder["link"], "--out", name).Explains(2, "--out (empty)");

    [Test]
    public void AWordThatStartsWithAnAtIsAFilesName()
    {
        File.WriteAllText(folder["words"], "--help");
        CommandLine.Run("describe", "@" + folder["words"], "--out", folder["x.npy"]).Explains(1, "@" + folder["words"] + " does not exist");
    }

    private static string[] Line(CommandTree.Node node, params (Symbol Symbol, string Path)[] given)
    {
        var arguments = new List<string>();
        foreach (Argument argument in node.Command.Arguments)
        {
            arguments.Add(given.FirstOrDefault(value => value.Symbol == argument).Path ?? "no/such/" + argument.Name);
        }

        foreach (Option option in node.Command.Options)
        {
            string? path = given.FirstOrDefault(value => value.Symbol == option).Path;
            string prefix = option.Name is "--data" or "--validation" ? "images:" : option.Name == "--method" ? "sift,model:" : string.Empty;
            if (path is not null || option.Required)
            {
                arguments.AddRange([option.Name, path is null ? option.Name == "--format" ? "onnx" : "no-such-" + option.Name[2..] : prefix + path]);
            }
        }

        return [.. arguments];
    }
}
