using System.Xml.Linq;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Imaging;

namespace CudaL2Net.Tests.Evaluation.Reports;

public sealed class HtmlReportTests
{
    private string folder = string.Empty;

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("report").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void TextIsEscapedAndTheStructureWellFormed()
    {
        var report = new HtmlReport("<b> & \"title\"");
        report.AddSummary("a < b");
        report.AddHeading("h & m");
        report.AddImage([1, 2, 3], "a \"image\"");
        report.AddImage([4], "another", HtmlReport.ImageKind.Plot, wide: true);
        report.AddTable("numbers", ["name", "value"], [["<x>", ReportCell.Number(0.5, "0.00", strong: true)], ["y", ReportCell.Number(2, "0.00")]]);
        report.AddText("after");
        report.AddImage([5], "last");

        XElement main = ReportPage.MainOf(report.ToHtml());
        Assert.That(main.Element("h1")!.Value, Is.EqualTo("<b> & \"title\""));
        Assert.That(main.Elements().Select(element => element.Name.LocalName), Is.EqualTo(new[] { "h1", "ul", "h2", "div", "div", "p", "div", "footer" }));
        string[] sources = [.. main.Descendants("img").Select(image => (string)image.Attribute("src")!)];
        Assert.That(sources, Is.EqualTo(new[] { "data:image/png;base64,AQID", "data:image/png;base64,BA==", "data:image/png;base64,BQ==" }));
        XElement[] cells = [.. main.Descendants("td")];
        Assert.That(cells.Select(cell => cell.Value), Is.EqualTo(new[] { "<x>", "0.50", "y", "2.00" }));
        Assert.That(((string)cells[1].Attribute("class")!, (string)cells[1].Attribute("data-value")!), Is.EqualTo(("number strong", "0.5")));
    }

    [Test]
    public void AnEmptySectionIsLeftOut()
    {
        var report = new HtmlReport("title");
        report.AddHeading("empty");
        report.AddHeading("with a table without rows");
        report.AddTable("nothing", ["name"], []);
        report.AddHeading("with an image");
        report.AddImage([1], "image");
        report.AddHeading("with another");
        report.AddImage([1], "image");
        report.AddHeading("empty at the end");
        XElement main = ReportPage.MainOf(report.ToHtml());
        Assert.That(main.Descendants("h2").Select(heading => heading.Value), Is.EqualTo(new[] { "with an image", "with another" }));
        Assert.That(main.Elements().Select(element => element.Name.LocalName), Is.EqualTo(new[] { "h1", "h2", "div", "h2", "div", "footer" }));
    }

    [Test]
    public void NothingIsLoadedFromElsewhere()
    {
        var report = new HtmlReport("title");
        report.AddImage([1], "image");
        ReportPage.IsSelfContained(report.ToHtml());
    }

    [Test]
    public void ResultsBecomeATableAndThreePlots()
    {
        TestSequences.WriteSequence(Path.Combine(folder, "discs"));
        using Device device = Device.Open("cpu");
        SequenceResults results = new SequenceEvaluation(device, 300).Evaluate(ImageSequence.LoadAll([folder]), [new SiftDescriber(), new RootSiftDescriber()]);
        var report = new HtmlReport("title");
        report.AddResults(results);
        string path = Path.Combine(folder, "report.html");
        report.Write(path);
        Assert.That(File.ReadAllText(path), Is.EqualTo(report.ToHtml()));

        XElement main = ReportPage.MainOf(report.ToHtml());
        Assert.That(main.Descendants("tr").Skip(1).Select(row => row.Elements().First().Value), Is.EqualTo(new[] { "SIFT", "RootSIFT" }));
        Assert.That(main.Descendants("tr").ElementAt(1).Elements().ElementAt(3).Value, Is.EqualTo($"{results.Methods[0].Mean:F3}"));
        Assert.That(main.Descendants("img").Count(), Is.EqualTo(3));
    }

    [Test]
    public void RowsMustFitTheColumns() => Assert.That(() => new HtmlReport("t").AddTable("c", ["a", "b"], [["1"]]), Throws.ArgumentException);
}
