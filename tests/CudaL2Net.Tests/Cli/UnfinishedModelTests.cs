using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Training;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary>A training that was stopped leaves a checkpoint, which every command takes for a model: each must say that it is none yet.</summary>
public sealed class UnfinishedModelTests
{
    private const string Said = "unfinished: step 3 of 40";

    private static readonly Network Small = NetworkFile.Parse(
        """{"name": "small", "input": {"normalization": "perPatch"}, "towers": [{"layers": [{"type": "convolution", "out": 16, "kernel": 32}, {"type": "unitVector"}]}]}""", "small");

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeAStoppedTraining()
    {
        folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["run"]);
        new Checkpoint(ModelFile.Untrained(Small, 1), [], TrainedModels.Options(Small, 40), "data", 3, 40, 1.5f, "cpu", Precision.Float32)
            .Write(folder["run/checkpoint.safetensors"]);
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void EvaluationsSayItOnceAndInEveryTableAndFile()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine run = CommandLine.MustRun(
            "evaluate", "brown", folder["noise"], "--model", folder["run/checkpoint.safetensors"], "--method", "model,binary,raw", "--report", folder["page.html"], "--csv",
            folder["scores.csv"]);
        Assert.Multiple(() =>
        {
            Assert.That(run.Error.Split("is unfinished: step 3 of 40"), Has.Length.EqualTo(2), "once");
            Assert.That(run.Output, Does.Contain($"run ({Said})").And.Contain($"run ({Said}), binary"));
            foreach (string file in new[] { "page.html", "page.json", "page.csv", "scores.csv" })
            {
                Assert.That(File.ReadAllText(folder[file]), Does.Contain(Said), file);
            }
        });
    }

    [Test]
    public void DescribingMatchingAndInfoSayIt()
    {
        using (var noise = new Mat(120, 160, MatType.CV_8UC1))
        {
            Cv2.Randu(noise, 0, 255);
            Cv2.ImWrite(folder["a.png"], noise);
        }

        string model = folder["run"];
        CommandLine describe = CommandLine.MustRun("describe", folder["a.png"], "--model", model, "--out", folder["d.npy"], "--limit", "20", "--json");
        CommandLine match = CommandLine.MustRun("match", folder["a.png"], folder["a.png"], "--model", model, "--limit", "20", "--json");
        CommandLine info = CommandLine.MustRun("info", "--model", model), json = CommandLine.MustRun("info", "--model", model, "--json");
        foreach (CommandLine run in new[] { describe, match, json })
        {
            Assert.That(run.Error, Does.Contain(Said));
            Assert.That((string?)JsonNode.Parse(run.Output)!["unfinished"], Is.EqualTo("step 3 of 40"));
        }

        Assert.That(info.Output, Does.Match("unfinished +step 3 of 40"));
    }

    [Test]
    public void ExportAsksForAWord([Values("onnx", "safetensors")] string format)
    {
        string[] words = ["export", "--model", folder["run"], "--format", format, "--out", folder["out"]];
        CommandLine.Run(words).Explains(2, "step 3 of 40", "--resume", "--unfinished");
        Assert.That(folder["out"], Does.Not.Exist);
        CommandLine run = CommandLine.MustRun([.. words, "--unfinished", "--json"]);
        Assert.That((string?)JsonNode.Parse(run.Output)!["unfinished"], Is.EqualTo("step 3 of 40"));
        if (format == "safetensors")
        {
            CommandLine.Run("export", "--model", folder["out"], "--format", "onnx", "--out", folder["again"]).Explains(2, "step 3 of 40");
        }
    }

    [Test]
    public void ATrainingThatStartsFromOneSaysIt() => CommandLine.Run(
        "train", "--data", "nothing", "--network", "hardnet", "--init", folder["run"], "--out", folder["next"]).Explains(1, Said);

    [Test]
    public void AModelWithoutADigestIsUsedWithALineThatSaysSo()
    {
        byte[] file = File.ReadAllBytes(UntrainedModel.WriteTo(folder));
        file[file.AsSpan().IndexOf("cudal2net_sha256"u8)] = (byte)'k';
        File.WriteAllBytes(folder["old.safetensors"], file);
        NpyFile.Write<byte>(folder["p.npy"], new byte[1024], 1, 32, 32);
        CommandLine run = CommandLine.MustRun("describe", folder["p.npy"], "--model", folder["old.safetensors"], "--out", folder["d.npy"]);
        Assert.That(run.Error.Split("no digest"), Has.Length.EqualTo(2));
    }

    [Test]
    public void ABrokenModelLeavesWhatWasWrittenBefore()
    {
        ModelFile broken = TestNetworks.Map(ModelFile.Untrained(Small, 1), "filters", values => [.. values.Select(_ => 3e38f)]);
        broken.Write(folder["broken.safetensors"]);
        byte[] patches = new byte[2048];
        new Random(1).NextBytes(patches);
        NpyFile.Write<byte>(folder["p.npy"], patches, 2, 32, 32);
        File.WriteAllText(folder["d.npy"], "before");
        CommandLine.Run("describe", folder["p.npy"], "--model", folder["broken.safetensors"], "--out", folder["d.npy"])
            .Explains(1, "broken.safetensors", "patch 0 ", "not finite");
        using (var noise = new Mat(120, 160, MatType.CV_8UC1))
        {
            Cv2.Randu(noise, 0, 255);
            Cv2.ImWrite(folder["a.png"], noise);
        }

        File.WriteAllText(folder["d.keypoints.csv"], "before");
        CommandLine.Run("describe", folder["a.png"], "--model", folder["broken.safetensors"], "--out", folder["d.npy"], "--force").Explains(1, "patch 0 ", "not finite");
        Assert.That(File.ReadAllText(folder["d.npy"]), Is.EqualTo("before"));
        Assert.That(File.ReadAllText(folder["d.keypoints.csv"]), Is.EqualTo("before"));
    }

    [Test]
    public void FilesOfOtherKindsAreNamed()
    {
        File.WriteAllBytes(folder["hardnet.onnx"], [8, 7, 0x12, 7, .. "pytorch"u8]);
        NpyFile.Write<byte>(folder["p.npy"], new byte[1024], 1, 32, 32);
        CommandLine.Run("describe", folder["p.npy"], "--model", folder["hardnet.onnx"], "--out", folder["d.npy"]).Explains(1, "hardnet.onnx", "ONNX", "onnx:FILE");
        Directory.CreateDirectory(folder["empty"]);
        CommandLine.Run("describe", folder["p.npy"], "--model", folder["empty"], "--out", folder["d.npy"]).Explains(1, "empty", "folder", "--out folder of a training");
    }

    [Test]
    public void ControlCharactersOfFilesAreWrittenOut()
    {
        ModelFile model = ModelFile.Untrained(Small, 1);
        (model with { Metadata = new Dictionary<string, string> { ["preset"] = "\u001b[31mred\u009b0m\u202e" } }).Write(folder["m.safetensors"]);
        CommandLine info = CommandLine.MustRun("info", "--model", folder["m.safetensors"]);
        Assert.That(info.Output, Does.Contain(@"\u001b[31mred\u009b0m\u202e").And.Not.Contain("\u001b").And.Not.Contain("\u202e"));
        CommandLine json = CommandLine.MustRun("info", "--model", folder["m.safetensors"], "--json");
        Assert.That(json.Output, Does.Not.Contain("\u001b").And.Not.Contain("\u009b"));
        File.Copy(folder["m.safetensors"], folder["n.safetensors"]);
        SafetensorsFile file = SafetensorsFile.Read(folder["n.safetensors"]);
        SafetensorsFile.Write(
            folder["n.safetensors"], file.Tensors, new Dictionary<string, string>(file.Metadata) { ["format"] = "\u001b]0;title\a" });
        CommandLine.Run("info", "--model", folder["n.safetensors"]).Explains(1, @"\u001b]0;title\u0007");
    }
}
