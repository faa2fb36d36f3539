using System.Globalization;
using System.Text.Json.Nodes;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Data;

namespace CudaL2Net.Tests.Cli;

public sealed class EvaluateCommandTests : ModelCommandTests
{
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
    public void SequencesWriteTheirScoresAsCsv()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine run = CommandLine.MustRun(
            "evaluate", "sequences", folder["discs"], "--method", "sift", "--keypoints", "100", "--csv", folder["scores.csv"], "--json");
        double mean = (double)JsonNode.Parse(run.Output)!["methods"]![0]!["mean"]!;
        string line = File.ReadAllLines(folder["scores.csv"]).Single(text => text.Contains(",SIFT,mean,", StringComparison.Ordinal));
        Assert.That(double.Parse(line.Split(',')[^1], CultureInfo.InvariantCulture), Is.EqualTo(mean));
    }

    [Test]
    public void AnOnnxNetworkIsAMethodOfOxfordAndW1bs()
    {
        CommandLine.MustRun("export", "--model", model, "--format", "onnx", "--out", folder["net.onnx"]);
        string method = "onnx:" + folder["net.onnx"];
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine oxford = CommandLine.MustRun(
            "evaluate", "oxford", folder["discs"], "--images", "2", "--keypoints", "50", "--method", method, "--onnx-input", "grey");
        Assert.That(oxford.Output, Does.Contain("net"));
        W1bsFolder.Write(folder["w1bs"], "A");
        CommandLine.MustRun("evaluate", "w1bs", folder["w1bs"], "--method", method);
        CommandLine.Run("evaluate", "w1bs", folder["w1bs"], "--method", method, "--onnx-input", "gray").Explains(2, "gray", "did you mean 'grey'?");
    }

    [Test]
    public void PatchesOfAMethodAreCutAtAnotherScale()
    {
        TestSequences.WriteSequence(folder["discs"]);
        string[] words = ["evaluate", "sequences", folder["discs"], "--keypoints", "200", "--json", "--method"];
        JsonArray methods = JsonNode.Parse(CommandLine.MustRun([.. words, $"raw,raw@scale=6,raw@scale=12.5,model:{model}@scale=8"]).Output)!["methods"]!.AsArray();
        Assert.That(
            methods.Select(method => (string)method!["name"]!),
            Is.EqualTo(new[] { "raw", "raw@scale=6", "raw@scale=12.5", $"{Path.GetFileName(folder.Path)}@scale=8" }));
        double[] means = [.. methods.Select(method => (double)method!["mean"]!)];
        Assert.That(means[1], Is.EqualTo(means[0]), "6 is the usual scale");
        Assert.That(means[2], Is.Not.EqualTo(means[0]));
        CommandLine.Run([.. words, "raw@scale=0"]).Explains(2, "raw@scale=0", "1 to 100");
        CommandLine.Run([.. words, "raw@scale="]).Explains(2, "raw@scale=", "1 to 100");
        CommandLine.Run([.. words, "sift@scale=8"]).Explains(2, "sift@scale=8", "no patches are cut");
        CommandLine.Run([.. words, $"csv:{folder["discs"]}"]).Explains(2, "csv:", "evaluate hpatches");
        BrownFolder.Write(folder["noise"], 60);
        CommandLine.Run("evaluate", "brown", folder["noise"], "--method", "raw@scale=8").Explains(2, "raw@scale=8", "evaluate sequences");
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
    public void BrownComparesAnyNumberOfMethods()
    {
        BrownFolder.Write(folder["liberty"], 60);
        BrownFolder.Write(folder["yosemite"], 60);
        CommandLine run = CommandLine.MustRun(
            "evaluate", "brown", folder.Path, "--train-set", "liberty", "--model", model, "--method", "model,binary,sift", "--method", "rootsift", "--method",
            $"model:{model},raw,untrained", "--csv", folder["scores.csv"], "--json");
        JsonNode result = JsonNode.Parse(run.Output)!;
        string name = Path.GetFileName(folder.Path);
        JsonNode fpr95 = result["tables"]![0]!, precision = result["tables"]![2]!;
        Assert.Multiple(() =>
        {
            Assert.That(
                fpr95["rows"]!.AsArray().Select(row => (string)row!["method"]!),
                Is.EqualTo(new[] { name, $"{name}, binary", "SIFT", "RootSIFT", $"model:{model}", "raw", "untrained" }));
            Assert.That(fpr95["columns"]!.AsArray().Select(column => (string)column!), Is.EqualTo(new[] { "yosemite", "mean" }));
            Assert.That((double)fpr95["rows"]![5]!["values"]![0]!, Is.Zero, "patches of a point are nearly alike, others are unlike");
            Assert.That((double)precision["rows"]![0]!["values"]![0]!, Is.EqualTo(1).Within(1e-9));
            Assert.That((int)result["curves"]![0]!["roc"]!["matches"]!, Is.EqualTo(10));
            Assert.That(File.ReadAllLines(folder["scores.csv"]), Has.Length.EqualTo(1 + (3 * 7 * 2)));
        });
    }

    [Test]
    public void BrownTakesTheBinaryFormAndSaysWhatFpr95Is()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.MustRun("evaluate", "brown", folder["noise"], "--model", model, "--binary");
        Assert.That(run.Output, Does.Contain("FPR95").And.Contain(", binary").And.Contain("false positive rate at 95% recall"));
    }

    [TestCase("sfit", "did you mean 'sift'")]
    [TestCase("sift,modle:x", "did you mean 'model'")]
    [TestCase("sift:x", "sift takes no file")]
    [TestCase("model:none", "none")]
    public void UnknownMethodIsExplained(string method, string explanation)
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.Run("evaluate", "brown", folder["noise"], "--model", model, "--method", method);
        run.Explains(method == "model:none" ? 1 : 2, explanation);
    }

    [Test]
    public void HPatchesGivesTheThreeTasks()
    {
        HPatchesFolder.Write(folder["data/i_a"], 12, seed: 1);
        HPatchesFolder.Write(folder["data/v_b"], 12, seed: 2);
        string[] words = ["evaluate", "hpatches", folder["data"], "--model", model, "--split", "full", "--pairs", "50"];
        CommandLine run = CommandLine.MustRun([.. words, "--method", "model,raw", "--tasks", "verification,matching", "--csv", folder["scores.csv"]]);
        Assert.That(run.Output, Does.Contain("HPatches, mAP").And.Contain("verification").And.Contain("seed 42").And.Contain("MATLAB"));
        Assert.That(File.ReadAllText(folder["scores.csv"]), Does.Contain("by sequence, tough").And.Contain("v_b"));
        HPatchesFolder.WriteTasks(folder["data"], "full", ["i_a", "v_b"], [12, 12], pairs: 50, queries: 5, distractors: 15);
        CommandLine json = CommandLine.MustRun([.. words, "--json"]);
        Assert.That((double)JsonNode.Parse(json.Output)!["tables"]![0]!["rows"]![0]!["values"]![1]!, Is.EqualTo(1).Within(1e-9), "matching");
        File.Delete(folder["data/splits.json"]);
        CommandLine.Run([.. words, "--tasks", "matchng"]).Explains(2, "did you mean 'matching'");
        CommandLine.Run("evaluate", "hpatches", folder["data"], "--split", "d").Explains(2, "--split d");
        HPatchesFolder.WriteTasks(folder["data"], "full", ["i_a", "v_b"], [12, 12], pairs: 50, queries: 5, distractors: 15);
        foreach (string file in new[] { "i_a", "v_b" }.SelectMany(name => HPatchesDataset.StripNames.Select(strip => folder[$"stored/{name}/{strip}.csv"])))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllLines(file, Enumerable.Range(0, 12).Select(row => $"{row},0.5"));
        }

        JsonNode stored = JsonNode.Parse(CommandLine.MustRun([.. words, "--method", $"raw,csv:{folder["stored"]}", "--json", "--report", folder["report.html"]]).Output)!;
        JsonNode last = stored["tables"]![0]!["rows"]![1]!;
        Assert.That(((string)last["method"]!, (double)last["values"]![1]!), Is.EqualTo(("stored", 1.0)), "matching: row i is i in every strip");
        File.Delete(folder["data/splits.json"]);
        CommandLine.Run("evaluate", "hpatches", folder["data"], "--method", "raw").Explains(1, "splits.json");
    }

    [Test]
    public void UnknownTrainSetIsExplained()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine.Run("evaluate", "brown", folder.Path, "--train-set", "nois").Explains(2, "--train-set nois", "did you mean 'noise'");
        CommandLine.Run("evaluate", "brown", folder.Path, "--train-set", "noise").Explains(2, "no other set");
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

    [Test]
    public void OxfordComparesMethodsByThreeStrategies()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine run = CommandLine.MustRun(
            "evaluate", "oxford", folder["discs"], "--images", "2", "--keypoints", "60", "--model", model, "--method", "sift,rootsift,raw,model,binary", "--csv",
            folder["scores.csv"], "--json");
        JsonNode result = JsonNode.Parse(run.Output)!;
        Assert.Multiple(() =>
        {
            Assert.That((string)result["benchmark"]!, Is.EqualTo("oxford"));
            Assert.That((string)result["settings"]!["detector"]!, Does.Contain("60 strongest"));
            Assert.That(
                result["tables"]!.AsArray().Take(3).Select(table => (string)table!["title"]!), Is.EqualTo(new[] { "nn, mAP", "threshold, mAP", "ratio, mAP" }));
            Assert.That(result["tables"]![0]!["rows"]!.AsArray().Select(row => (double)row!["values"]![1]!), Is.All.InRange(0.01, 1));
            Assert.That(File.ReadAllText(folder["scores.csv"]), Does.Contain("discs 1-2"));
        });
    }

    [Test]
    public void OxfordGivesTablesForPeople()
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine run = CommandLine.MustRun("evaluate", "oxford", folder.Path, "--images", "2", "--detector", "mser", "--method", "raw,sift");
        Assert.That(run.Output, Does.Contain("nn, mAP").And.Contain("threshold, mAP").And.Contain("ratio, mAP").And.Not.Contain("by pair"));
    }

    [TestCase(1, "has no image 3", "--images", "2,3")]
    [TestCase(1, "img1.png.haraff", "--images", "2", "--detector", "haraff")]
    [TestCase(2, "--images x", "--images", "x")]
    [TestCase(2, "--images 2,2", "--images", "2,2")]
    [TestCase(2, "mser gives regions without a strength", "--detector", "mser", "--keypoints", "5")]
    [TestCase(2, "--keypoints 0", "--keypoints", "0")]
    [TestCase(2, "--magnification 0", "--magnification", "0")]
    [TestCase(2, "surf", "--detector", "surf")]
    public void OxfordExplainsWhatItCannotDo(int code, string explanation, params string[] options)
    {
        TestSequences.WriteSequence(folder["discs"]);
        CommandLine.Run(["evaluate", "oxford", folder["discs"], "--method", "raw", .. options]).Explains(code, explanation);
    }

    [Test]
    public void W1bsComparesMethods()
    {
        W1bsFolder.Write(folder["W1BS"], "A", "G");
        CommandLine run = CommandLine.MustRun("evaluate", "w1bs", folder["W1BS"], "--model", model, "--method", "sift,model,raw", "--json");
        JsonNode ap = JsonNode.Parse(run.Output)!["tables"]![0]!;
        Assert.That(ap["columns"]!.AsArray().Select(column => (string)column!), Is.EqualTo(new[] { "A", "G", "mean" }));
        Assert.That(ap["rows"]!.AsArray().Select(row => (double)row!["values"]![2]!), Is.All.InRange(0.05, 1));
        File.Delete(Path.Combine(folder["W1BS"], "A", "2", "pair0.bmp"));
        CommandLine.Run("evaluate", "w1bs", folder["W1BS"], "--method", "raw").Explains(1, "pair0.bmp is missing");
    }
}
