using System.Text.Json.Nodes;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Cli;

public sealed class TrainingRunTests
{
    private static readonly TrainingRun Run = new("synthetic", "none", 100, null, new PairOptions { Noise = 4 }, Presets.Find("l2net"));

    [Test]
    public void AFileThatNamesCentresIsReadAsOneWithout([Values] bool centres)
    {
        using var folder = new TemporaryFolder();
        Run.Write(folder.Path);
        string path = TrainingRun.PathIn(folder.Path);
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        Assert.That(json["patches"]!["parts"], Is.Null);
        json["patches"]!["centres"] = centres;
        File.WriteAllText(path, json.ToJsonString());
        Assert.That(TrainingRun.Read(folder.Path)!.IsSameAs(Run), Is.True);
    }

    [Test]
    public void AChangedSettingKeepsTheParts()
    {
        PairOptions changed = TrainingRun.Change(new PairOptions { Parts = PatchParts.Large }, ["noise=2"]);
        Assert.That((changed.Parts, changed.Noise), Is.EqualTo((PatchParts.Large, 2.0)));
        Assert.That(() => TrainingRun.Change(changed, ["parts=1"]), Throws.TypeOf<UsageException>().With.Message.Contains("parts"));
    }

    [TestCase("points", "-1")]
    [TestCase("points", "1.5")]
    [TestCase("points", "\"many\"")]
    [TestCase("points", "null")]
    [TestCase("minutes", "-2")]
    [TestCase("minutes", "1e999")]
    [TestCase("minutes", "\"long\"")]
    [TestCase("data", "null")]
    [TestCase("data", "7")]
    [TestCase("validation", "[]")]
    [TestCase("device", "null")]
    [TestCase("precision", "\"float128\"")]
    [TestCase("precision", "2")]
    [TestCase("kernels", "true")]
    [TestCase("patches", "null")]
    [TestCase("patches", "[1]")]
    [TestCase("patches", "{\"copies\":-1}")]
    [TestCase("patches", "{\"noise\":\"loud\"}")]
    [TestCase("patches", "{\"shoes\":1}")]
    [TestCase("options", "null")]
    [TestCase("options", "{}")]
    [TestCase("options", "\"l2net\"")]
    [TestCase("shoes", "1")]
    public void AFileThatMakesNoSenseIsRefused(string name, string value)
    {
        using var folder = new TemporaryFolder();
        Run.Write(folder.Path);
        string path = TrainingRun.PathIn(folder.Path);
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        json[name] = JsonNode.Parse(value);
        File.WriteAllText(path, json.ToJsonString());
        Refused(folder);
    }

    [TestCase("")]
    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"data\":\"a\"}")]
    [TestCase("{\"data\":\"a\",\"data\":\"b\"}")]
    public void AFileThatIsNoRunIsRefused(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(TrainingRun.PathIn(folder.Path), text);
        Refused(folder);
    }

    private static void Refused(TemporaryFolder folder) =>
        Assert.That(() => TrainingRun.Read(folder.Path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("run.json"));
}
