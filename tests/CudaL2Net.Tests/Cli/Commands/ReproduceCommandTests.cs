using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Commands.Reproduce;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Evaluation.Reports;
using CudaL2Net.Tests.Imaging.Data;

namespace CudaL2Net.Tests.Cli;

public sealed class ReproduceCommandTests
{
    private const int Steps = 2;

    private TemporaryFolder folder = null!;

    [SetUp]
    public void WriteSets()
    {
        folder = new TemporaryFolder();
        foreach (string name in new[] { "liberty", "notredame", "yosemite" })
        {
            BrownFolder.Write(folder["brown/" + name], 24, pairs: 12 + name.Length);
        }
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ATableIsTrainedTestedAndWrittenAndSkippedWhenFinished()
    {
        CommandLine first = Reproduce("table1", "--paper", "ralnet", "--rows", "HardNet");
        Assert.That(first.Output, Does.Contain("ND -> Lib").And.Contain("(2.07)").And.Contain("(2.48)"));
        Assert.That(first.Error, Does.Contain("cell 3 of 3").And.Not.Contain("finished before"));

        string html = File.ReadAllText(folder["out/index.html"]);
        ReportPage.IsSelfContained(html);
        string[][] table = ReportPage.Table(ReportPage.MainOf(html), "FPR95 in %");
        string[] columns = ["ND -> Lib", "Yos -> Lib", "Lib -> ND", "Yos -> ND", "Lib -> Yos", "ND -> Yos", "mean"];
        Assert.That(table[0], Is.EqualTo(new[] { "method" }.Concat(columns.SelectMany(column => new[] { column, "paper" }))));
        Assert.That(table[1].Where((_, i) => i > 0 && i % 2 == 0), Is.EqualTo(new[] { "2.07", "3.70", "0.77", "1.22", "3.79", "3.33", "2.48" }));

        // JSON, CSV and page have the same numbers.
        JsonNode row = JsonNode.Parse(File.ReadAllText(folder["out/index.json"]))!["rows"]![0]!;
        double[] measured = [.. row["measured"]!.AsArray().Append(row["measuredMean"]).Select(value => (double)value!)];
        string[][] csv = [.. File.ReadAllLines(folder["out/index.csv"]).Skip(1).Select(line => line.Split(',')[^3..])];
        Assert.That(csv.Select(fields => fields[0]), Is.EqualTo(columns));
        Assert.That(csv.Select(fields => double.Parse(fields[1], CultureInfo.InvariantCulture)), Is.EqualTo(measured));
        Assert.That(table[1].Where((_, i) => i % 2 == 1), Is.EqualTo(measured.Select(value => value.ToString("0.00", CultureInfo.InvariantCulture))));

        DateTime[] before = ModelTimes();
        CommandLine second = Reproduce("table1", "--paper", "ralnet", "--rows", "HardNet");
        Assert.That(second.Error.Split("finished before"), Has.Length.EqualTo(4));
        Assert.That(second.Output, Is.EqualTo(first.Output));
        Assert.That(ModelTimes(), Is.EqualTo(before));

        DateTime[] ModelTimes() => [.. Directory.GetFiles(folder["out"], "model.safetensors", SearchOption.AllDirectories).Order().Select(File.GetLastWriteTimeUtc)];
    }

    [Test]
    public void AKilledGridGoesOnFromTheCheckpointAndEndsAlike()
    {
        using Device device = Device.Open("cpu", 1);
        var terminal = new Terminal(TextWriter.Null, TextWriter.Null);
        IReadOnlyList<BrownDataset> sets = [BrownDataset.Open(folder["brown/liberty"]), BrownDataset.Open(folder["brown/notredame"])];
        var settings = new GridSettings(options => options with { Steps = 4, Batch = 4 }, CheckpointSeconds: 0);
        IReadOnlyList<GridCell> whole = Grid("whole").Run(["hardnet-200k"], null, CancellationToken.None)!;

        // The second cell dies in its third step, with what it did since the last checkpoint.
        Assert.That(
            () => Grid("killed").Run(["hardnet-200k"], null, CancellationToken.None, (_, set, progress) =>
            {
                if (set == "notredame" && progress.Step == 3)
                {
                    throw new OutOfMemoryException("killed");
                }
            }),
            Throws.TypeOf<OutOfMemoryException>());
        Assert.That(File.Exists(folder["killed/hardnet-200k/liberty/cell.json"]));
        Assert.That(File.Exists(folder["killed/hardnet-200k/notredame/cell.json"]), Is.False);

        var steps = new List<(string Set, int Step)>();
        IReadOnlyList<GridCell> resumed = Grid("killed").Run(["hardnet-200k"], null, CancellationToken.None, (_, set, progress) => steps.Add((set, progress.Step)))!;
        Assert.That(steps, Is.EqualTo(new[] { ("notredame", 3), ("notredame", 4) }));
        for (int i = 0; i < 2; i++)
        {
            Assert.That(resumed[i].Scores, Is.EqualTo(whole[i].Scores));
            string model = $"hardnet-200k/{whole[i].TrainSet}/model.safetensors";
            Assert.That(File.ReadAllBytes(folder["killed/" + model]), Same.As(File.ReadAllBytes(folder["whole/" + model])));
        }

        TableGrid Grid(string name) => new(folder[name], sets, settings, device, terminal);
    }

    [Test]
    public void AStoppedGridIsToldApartFromAFinishedOne()
    {
        using Device device = Device.Open("cpu", 1);
        using var stop = new CancellationTokenSource();
        var grid = new TableGrid(
            folder["out"],
            [BrownDataset.Open(folder["brown/liberty"]), BrownDataset.Open(folder["brown/notredame"])],
            new GridSettings(options => options with { Steps = Steps, Batch = 4 }),
            device,
            new Terminal(TextWriter.Null, TextWriter.Null));
        Assert.That(grid.Run(["hardnet-200k"], null, stop.Token, (_, _, progress) => stop.Cancel()), Is.Null);
        Assert.That(grid.Run(["hardnet-200k"], null, CancellationToken.None), Has.Count.EqualTo(2));
    }

    [Test]
    public void CentreSurroundStartsFromTheL2NetOfTheSameSet()
    {
        CommandLine run = Reproduce("table1", "--rows", "CS L2-Net+", "--set-count", "2");
        Assert.That(run.Error, Does.Contain("cell 1 of 4: l2net+ on liberty").And.Contain("cell 2 of 4: cs-l2net+ on liberty"));
        JsonNode cells = JsonNode.Parse(File.ReadAllText(folder["out/index.json"]))!["cells"]!;
        Assert.That(cells.AsArray().Select(cell => cell!["scores"]!.AsArray().Count), Is.All.EqualTo(2), "float and binary on the other set");
    }

    [Test]
    public void SiftNeedsNoTraining()
    {
        CommandLine run = Reproduce("table1", "--rows", "SIFT");
        Assert.That(run.Output, Does.Contain("(29.84)"));
        Assert.That(Directory.GetFiles(folder["out"], "model.safetensors", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    public void ADamagedCellIsNamedAndNoScoreChanges()
    {
        Reproduce("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2");
        string path = folder["out/ral-200k/notredame/cell.json"], whole = File.ReadAllText(path);
        (string Text, string Damage, string Reason)[] damages =
            [("\"fpr95\": ", "\"fpr95\": 0.5e-", "checksum"), ("{", "[", ""), ("\"trainSet\"", "\"trainset\"", "trainset")];
        foreach ((string text, string damage, string reason) in damages)
        {
            int at = whole.IndexOf(text, StringComparison.Ordinal);
            File.WriteAllText(path, whole[..at] + damage + whole[(at + text.Length)..]);
            Line("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2").Explains(1, path, "damaged", reason);
        }

        // Without it, only the test is repeated, and gives the same.
        File.Delete(path);
        DateTime trained = File.GetLastWriteTimeUtc(folder["out/ral-200k/liberty/model.safetensors"]);
        Reproduce("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2");
        JsonNode again = JsonNode.Parse(File.ReadAllText(path))!["cell"]!["scores"]!, before = JsonNode.Parse(whole)!["cell"]!["scores"]!;
        Assert.That(again.ToJsonString(), Is.EqualTo(before.ToJsonString()));
        Assert.That(File.GetLastWriteTimeUtc(folder["out/ral-200k/liberty/model.safetensors"]), Is.EqualTo(trained));
    }

    [Test]
    public void CellsOfOtherSettingsOrDataAreNotTaken()
    {
        Reproduce("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2");
        Line("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2", "--seed", "7").Explains(1, "ral-200k", "other settings", "--out");
        File.AppendAllText(folder["brown2/liberty/m50_100000_100000_0.txt"], "0 100 0 1 100 0 0\n");
        Line("table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2").Explains(1, "ral-200k", "other data", "--out");
    }

    [Test]
    public void ACellIsOfTheBytesOfItsImagesAndOfTheModelBesideIt()
    {
        string[] line = ["table1", "--paper", "ralnet", "--rows", "RAL-Net", "--set-count", "2"];
        Reproduce(line);

        // One pixel of an image, in a file of the same size and time.
        string mosaic = folder["brown2/notredame/patches0000.bmp"], model = folder["out/ral-200k/liberty/model.safetensors"];
        ExpectWhileChanged(mosaic, "ral-200k", "other data", "--out");
        ExpectWhileChanged(model, model, "not the model that was tested");
        Assert.That(Reproduce(line).Error.Split("finished before"), Has.Length.EqualTo(3));

        // Cells of the first version do not know their images: taken, and said.
        GridCell cell = GridCell.Read(folder["out/ral-200k/liberty"])!;
        var old = cell.Data.ToDictionary(set => set.Key, set => OldFingerprint(folder["brown2/" + set.Key]));
        (cell with { Program = null, Model = null, Data = old }).Write(folder["out/ral-200k/liberty"]);
        Assert.That(Reproduce(line).Error, Does.Contain("not known whether they have changed").And.Contain("finished before by version 0.1.0 or older"));
        (cell with { Program = null, Model = null, Data = old.ToDictionary(set => set.Key, set => new string('0', 64)) }).Write(folder["out/ral-200k/liberty"]);
        Line(line).Explains(1, "other data");

        void ExpectWhileChanged(string path, params string[] words)
        {
            byte[] whole = File.ReadAllBytes(path), changed = [.. whole];
            changed[^100] ^= 1;
            DateTime time = File.GetLastWriteTimeUtc(path);
            File.WriteAllBytes(path, changed);
            File.SetLastWriteTimeUtc(path, time);
            Line(line).Explains(1, words);
            File.WriteAllBytes(path, whole);
        }

        static string OldFingerprint(string set) => Convert.ToHexStringLower(SHA256.HashData(
            [.. new[] { "info.txt", "m50_100000_100000_0.txt" }.SelectMany(file => SHA256.HashData(File.ReadAllBytes(Path.Combine(set, file))))]));
    }

    [Test]
    public void TheFigureTrainsTheVariantsAndTestsThemOnHPatches()
    {
        HPatchesFolder.Write(folder["hpatches/i_a"], 6, seed: 1);
        HPatchesFolder.Write(folder["hpatches/v_b"], 5, seed: 2);
        HPatchesFolder.WriteTasks(folder["hpatches"], "full", ["i_a", "v_b"], [6, 5], pairs: 20, queries: 4, distractors: 6);
        string[] line =
        [
            "reproduce", "figure3", "--brown", folder["brown"], "--hpatches", folder["hpatches"], "--split", "full", "--rows", "l2net,l2net-no-dif",
            "--out", folder["out"], "--steps", $"{Steps}", "--batch", "4", "--threads", "1",
        ];
        CommandLine.Run([.. line.Select(word => word == "full" ? "a" : word)]).Explains(1, "splits.json");
        Assert.That(folder["out"], Does.Not.Exist, "refused before a model was trained");
        CommandLine run = CommandLine.MustRun(line);
        Assert.That(run.Error, Does.Contain("cell 2 of 2: l2net-no-dif on liberty"));
        string html = File.ReadAllText(folder["out/index.html"]);
        ReportPage.IsSelfContained(html);
        string[][] summary = ReportPage.Table(ReportPage.MainOf(html), "HPatches, mAP");
        Assert.That(summary.Skip(1).Select(row => row[0]), Is.EqualTo(new[] { "L2-Net", "without E3" }));
        Assert.That(ReportPage.Table(ReportPage.MainOf(html), "Brown, FPR95")[0], Is.EqualTo(new[] { "method", "notredame", "yosemite" }));
        JsonNode json = JsonNode.Parse(File.ReadAllText(folder["out/index.json"]))!;
        Assert.That(json["descriptors"]!.AsArray().Select(of => of!["bitMeans"]!.AsArray().Count), Is.EqualTo(new[] { 128, 128 }));
        Assert.That(CommandLine.MustRun(line).Error, Does.Contain("cell 1 of 2: l2net on liberty, finished before"));
        CommandLine.Run([.. line, "--train-set", "Libery"]).Explains(2, "Libery", "'liberty'");
    }

    [Test]
    public void RowsAndPapersThatAreNotThereAreExplained()
    {
        Line("table1", "--rows", "HadNet").Explains(2, "HadNet");
        Line("table1", "--paper", "hardnet").Explains(2, "l2net or ralnet");
        CommandLine.Run("reproduce", "table2", "--brown", folder["brown/liberty"], "--out", folder["out"]).Explains(2, "one set");
    }

    [Test]
    public void SetsOfOtherNamesHaveNoPublishedNumbers()
    {
        Directory.CreateDirectory(folder["mine"]);
        Directory.Move(folder["brown/liberty"], folder["mine/harbour"]);
        Directory.Move(folder["brown/notredame"], folder["mine/market"]);
        File.WriteAllText(folder["mine/market/origin.txt"], "Not Brown's data.");
        CommandLine run = CommandLine.MustRun(
            "reproduce", "table1", "--rows", "SIFT", "--brown", folder["mine"], "--out", folder["out"], "--threads", "1");
        Assert.That(run.Output, Does.Contain("harbour -> market").And.Contain("(-)").And.Not.Contain("29.84"));
        Assert.That(run.Error, Does.Contain("Not Brown's data."));
        XElement main = ReportPage.MainOf(File.ReadAllText(folder["out/index.html"]));
        Assert.That(main.Elements("p").Single(p => (string?)p.Attribute("class") == "note").Value, Does.StartWith("Not Brown's data."));
    }

    private CommandLine Reproduce(params string[] words)
    {
        CommandLine run = Line(words);
        Assert.That(run.Code, Is.Zero, run.Error);
        return run;
    }

    // "--set-count 2" leaves one of the three sets out.
    private CommandLine Line(params string[] words)
    {
        int count = Array.IndexOf(words, "--set-count");
        string brown = folder["brown"];
        if (count >= 0)
        {
            words = [.. words[..count], .. words[(count + 2)..]];
            brown = folder["brown2"];
            if (!Directory.Exists(brown))
            {
                Directory.CreateDirectory(brown);
                Directory.Move(folder["brown/liberty"], folder["brown2/liberty"]);
                Directory.Move(folder["brown/notredame"], folder["brown2/notredame"]);
            }
        }

        return CommandLine.Run(
            ["reproduce", .. words, "--brown", brown, "--out", folder["out"], "--steps", $"{Steps}", "--batch", "4", "--threads", "1"]);
    }
}
