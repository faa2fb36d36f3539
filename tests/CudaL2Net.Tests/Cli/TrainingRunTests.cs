using System.Text.Json.Nodes;
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
        Assert.That(() => TrainingRun.Change(changed, ["parts=1"]), Throws.ArgumentException.With.Message.Contains("parts"));
    }
}
