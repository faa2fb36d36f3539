using System.Globalization;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Evaluation.Reports;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Data;

namespace CudaL2Net.Tests.Cli;

public sealed class ReportTests : ModelCommandTests
{
    [Test]
    public void ThePageOfBrownHasTablesPublishedNumbersPlotsAndGalleries()
    {
        BrownFolder.Write(folder["brown/liberty"], 60);
        BrownFolder.Write(folder["brown/notredame"], 60);
        CommandLine.MustRun(
            "evaluate", "brown", folder["brown"], "--model", model, "--train-set", "liberty", "--method", "model,binary,sift", "--report", folder["out/page.html"]);
        string html = File.ReadAllText(folder["out/page.html"]);
        ReportPage.IsSelfContained(html);
        XElement main = ReportPage.MainOf(html);

        string[][] published = ReportPage.Table(main, "FPR95 in %");
        Assert.That(published, Has.Length.EqualTo(2), "heads and Notredame");
        Assert.That(published[1][0], Is.EqualTo("Notredame"));
        Assert.That(published[1][Array.LastIndexOf(published[0], "SIFT")], Is.EqualTo("22.53"));
        Assert.That(published[1][Array.IndexOf(published[0], "L2-Net")], Is.EqualTo("1.15"), "Lib->ND");
        Assert.That(published[1][Array.IndexOf(published[0], "RAL-Net+")], Is.EqualTo("0.37"), "Lib->ND");

        string[] headings = [.. main.Descendants("h2").Select(heading => heading.Value)];
        Assert.That(headings, Is.EqualTo(new[] { "Scores", "ROC and precision-recall curves", "Distances", "Descriptors", "Where the methods err" }));

        // ROC and PR of one set; three histograms; values, bits and three correlation matrices; two galleries for each of three methods.
        Assert.That(main.Descendants("img").Count(), Is.EqualTo(2 + 3 + 2 + 3 + 6));
        Assert.That(main.Descendants("td").Count(cell => ((string?)cell.Attribute("class"))?.Contains("published") == true), Is.EqualTo(11));
    }

    [Test]
    public void RegionsAndStripsOfPatchesHavePagesToo()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine.MustRun(
            "evaluate", "oxford", folder["discs"], "--images", "2", "--keypoints", "60", "--model", model, "--method", "model,raw", "--report",
            folder["oxford.html"]);
        W1bsFolder.Write(folder["W1BS"], "A");
        CommandLine.MustRun("evaluate", "w1bs", folder["W1BS"], "--model", model, "--method", "model,raw", "--report", folder["w1bs.html"]);
        foreach ((string name, string table) in new[] { ("oxford", "nn, mAP"), ("w1bs", "AP.") })
        {
            string html = File.ReadAllText(folder[name + ".html"]);
            ReportPage.IsSelfContained(html);
            XElement main = ReportPage.MainOf(html);
            Assert.That(ReportPage.Table(main, table), Has.Length.EqualTo(3), "heads and two methods");
            Assert.That(main.Descendants("img"), Is.Not.Empty);
            Assert.That(File.Exists(folder[name + ".json"]) && File.Exists(folder[name + ".csv"]), Is.True);
        }
    }

    [Test]
    public void JsonAndCsvAgreeWithThePage()
    {
        BrownFolder.Write(folder["liberty"], 60);
        CommandLine.MustRun("evaluate", "brown", folder["liberty"], "--model", model, "--method", "model,raw", "--report", folder["page.html"]);
        JsonNode json = JsonNode.Parse(File.ReadAllText(folder["page.json"]))!;
        string[][] csv = [.. File.ReadAllLines(folder["page.csv"]).Skip(1).Select(line => line.Split('"') is { Length: 3 } quoted
            ? [.. quoted[0].TrimEnd(',').Split(','), quoted[1], .. quoted[2].TrimStart(',').Split(',')]
            : line.Split(','))];
        XElement main = ReportPage.MainOf(File.ReadAllText(folder["page.html"]));
        int scores = 0;
        foreach (JsonNode? table in json["tables"]!.AsArray())
        {
            string[] columns = [.. table!["columns"]!.AsArray().Select(column => (string)column!)];
            string title = (string)table["title"]!;
            XElement[] rows = [.. main.Descendants("table").Single(t => t.Element("caption")!.Value.StartsWith(title + ". ", StringComparison.Ordinal))
                .Element("tbody")!.Elements("tr")];
            int index = 0;
            foreach (JsonNode? row in table["rows"]!.AsArray())
            {
                string method = (string)row!["method"]!;
                XElement[] cells = [.. rows[index++].Elements("td")];
                Assert.That(cells[0].Value, Is.EqualTo(method));
                for (int c = 0; c < columns.Length; c++)
                {
                    double value = (double)row["values"]![c]!;
                    string[] line = csv.Single(fields => fields[1] == title && fields[^3] == method && fields[^2] == columns[c]);
                    Assert.That(double.Parse(line[^1], CultureInfo.InvariantCulture), Is.EqualTo(value));
                    Assert.That(double.Parse((string)cells[c + 1].Attribute("data-value")!, CultureInfo.InvariantCulture), Is.EqualTo(value));
                    scores++;
                }
            }
        }

        Assert.That(scores, Is.EqualTo(3 * 2 * 2).And.EqualTo(csv.Length));
        Assert.That(json["descriptors"]!.AsArray().Select(of => (string)of!["method"]!), Has.Exactly(2).Items);
    }

    [Test]
    public void SetsMadeFromPhotographsAreToldApart()
    {
        BrownFolder.Write(folder["liberty"], 60);
        File.WriteAllText(folder["liberty/origin.txt"], "Not Brown's data: a test's.\n");
        CommandLine.MustRun("evaluate", "brown", folder["liberty"], "--model", model, "--report", folder["page.html"]);
        XElement main = ReportPage.MainOf(File.ReadAllText(folder["page.html"]));
        Assert.That(main.Elements("p").Single(p => (string?)p.Attribute("class") == "note").Value, Is.EqualTo("Not Brown's data: a test's."));
    }

    [Test]
    public void ThePageOfSequencesHasBarsAndMatchedImages()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine.MustRun(
            "evaluate", "sequences", folder["discs"], "--model", model, "--method", "sift,model", "--keypoints", "200", "--report", folder["page.html"]);
        string html = File.ReadAllText(folder["page.html"]);
        ReportPage.IsSelfContained(html);
        XElement main = ReportPage.MainOf(html);
        Assert.That(ReportPage.Table(main, "mAP by sequence")[0], Is.EqualTo(new[] { "method", "discs", "mean" }));
        string[] captions = [.. main.Descendants("figcaption").Select(caption => caption.Value)];
        Assert.That(captions, Has.One.StartsWith("SIFT on discs, images 1 and").And.Exactly(2).Contains(" on discs, images 1 and"), "every method's matches");
        Assert.That(captions.Where(caption => caption.Contains("on discs")), Is.All.Contains("at most 200 SIFT keypoints"), "those that were asked for");
        string[] headings = [.. main.Descendants("h2").Select(heading => heading.Value)];
        Assert.That(headings, Is.EqualTo(new[] { "Scores", "Matched images", "ROC and precision-recall curves", "Descriptors" }), "no section is empty");
        JsonNode json = JsonNode.Parse(File.ReadAllText(folder["page.json"]))!;
        Assert.That(json["descriptors"]!.AsArray(), Has.Count.EqualTo(2), "keypoints' descriptors are sampled too");
    }

    [Test]
    public void HPatchesHasAPageToo()
    {
        HPatchesFolder.Write(folder["hpatches/i_a"], 6, seed: 1);
        HPatchesFolder.Write(folder["hpatches/v_b"], 5, seed: 2);
        HPatchesFolder.WriteTasks(folder["hpatches"], "full", ["i_a", "v_b"], [6, 5], pairs: 20, queries: 4, distractors: 6);
        CommandLine.MustRun(
            "evaluate", "hpatches", folder["hpatches"], "--split", "full", "--model", model, "--method", "model,raw", "--report", folder["h.html"]);
        ReportPage.IsSelfContained(File.ReadAllText(folder["h.html"]));
        XElement main = ReportPage.MainOf(File.ReadAllText(folder["h.html"]));
        string[] captions = [.. main.Descendants("figcaption").Select(caption => caption.Value)];
        Assert.That(captions, Has.Some.StartsWith("matching, mAP"), "bars");
        Assert.That(main.Descendants("h2").Select(heading => heading.Value), Has.Member("Descriptors").And.Member("Distances"));
    }

    [Test]
    public void ANameThatIsNoPageIsExplainedBeforeAnyWork()
    {
        BrownFolder.Write(folder["liberty"], 60);
        CommandLine.Run("evaluate", "brown", folder["liberty"], "--model", model, "--report", folder["page.pdf"]).Explains(2, "page.pdf", ".html");
    }
}
