using System.Text.Json.Nodes;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging;

namespace CudaL2Net.Tests.Cli;

public sealed class EvaluateCommandTests
{
    private TemporaryFolder folder = null!;
    private string model = null!;

    [SetUp]
    public void WriteModel()
    {
        folder = new TemporaryFolder();
        model = UntrainedModel.WriteTo(folder);
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void SequencesGiveEachMethodsMeanAsJson()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine run = CommandLine.MustRun("evaluate", "sequences", folder["discs"], "--model", model, "--keypoints", "200", "--binary", "--json");
        JsonArray methods = JsonNode.Parse(run.Output)!["methods"]!.AsArray();
        string name = Path.GetFileName(folder.Path);
        Assert.Multiple(() =>
        {
            Assert.That(methods.Select(method => (string)method!["name"]!), Is.EqualTo(new[] { "SIFT", "RootSIFT", name, $"{name}, binary" }));
            foreach (JsonNode? method in methods)
            {
                Assert.That((double)method!["mean"]!, Is.EqualTo((double)method["sequences"]!["discs"]!).And.InRange(0.01, 1));
            }
        });
    }

    [Test]
    public void SequencesGiveATableForPeople()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine run = CommandLine.MustRun("evaluate", "sequences", folder["discs"], "--model", model, "--keypoints", "100");
        Assert.That(run.Output, Does.Contain("RootSIFT").And.Contain("discs").And.Contain("mean").And.Not.Contain("\u001b["));
    }

    [Test]
    public void FolderWithoutASequenceIsExplained()
    {
        Directory.CreateDirectory(folder["empty"]);
        CommandLine.Run("evaluate", "sequences", folder["empty"], "--model", model).Explains(1, folder["empty"], "img1.ppm");
    }

    [Test]
    public void BrownPairsGiveFpr95AndAp()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.MustRun("evaluate", "brown", folder["noise"], "--model", model, "--json");
        JsonNode result = JsonNode.Parse(run.Output)!;
        Assert.Multiple(() =>
        {
            Assert.That((int)result["matches"]!, Is.EqualTo(10));
            Assert.That((double)result["fpr95"]!, Is.Zero, "patches of a point are nearly alike, others are unlike");
            Assert.That((double)result["averagePrecision"]!, Is.EqualTo(1).Within(1e-9));
            Assert.That(result["curve"]!.AsArray(), Is.Not.Empty);
        });
    }

    [Test]
    public void BrownTakesTheBinaryForm()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.MustRun("evaluate", "brown", folder["noise"], "--model", model, "--binary");
        Assert.That(run.Output, Does.Contain("FPR95"));
    }

    [Test]
    public void FolderThatIsNoBrownSetIsExplained() => CommandLine.Run("evaluate", "brown", folder.Path, "--model", model).Explains(1, folder.Path, "info.txt");

    [Test]
    public void DescribeTakesABrownFolder()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.MustRun("describe", folder["noise"], "--model", model, "--out", folder["noise.npy"], "--json");
        Assert.That((int)JsonNode.Parse(run.Output)!["patches"]!, Is.EqualTo(60));
    }
}
