using System.Text.Json.Nodes;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Data;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Training;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary>Described networks through the commands: shown, trained, and refused where they do not fit.</summary>
public sealed class NetworkCommandTests
{
    private const string Pairs =
        """
        { "name": "small-pairs", "towers": [ { "layers": [ { "type": "convolution", "out": 4, "kernel": 8, "stride": 8 }, { "type": "relu" } ] } ],
          "head": { "kind": "score", "layers": [ { "type": "linear", "out": 1 } ] } }
        """;

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void InfoListsTheNetworks()
    {
        CommandLine run = CommandLine.MustRun("info", "--networks");
        JsonArray list = JsonNode.Parse(CommandLine.MustRun("info", "--networks", "--json").Output)!.AsArray();
        Assert.That(list.Select(entry => (string)entry!["name"]!), Is.EqualTo(NetworkFile.Names));
        foreach (string name in NetworkFile.Names)
        {
            Assert.That(run.Output, Does.Contain(name));
            Assert.That(list.Single(entry => (string)entry!["name"]! == name)!["about"]!.ToString(), Is.Not.Empty);
        }
    }

    [Test]
    public void InfoShowsANetworkOfTheLibraryOrOfAFile()
    {
        CommandLine table = CommandLine.MustRun("info", "--network", "tfeat");
        foreach (string word in new[] { "tfeat", "32 x 32", "7 x 7 to 32", "26 x 26 x 32", "13 x 13 x 32", "524,416", "599,808", "6,302,848", "of any length",
            "general kernels" })
        {
            Assert.That(table.Output, Does.Contain(word));
        }

        JsonNode json = JsonNode.Parse(CommandLine.MustRun("info", "--network", "tfeat", "--json").Output)!;
        Assert.That(((long)json["parameters"]!, json["layers"]!.AsArray().Count), Is.EqualTo((599_808L, 7)));
        Assert.That((string)json["layers"]![0]!["type"]!, Is.EqualTo("convolution"));
        Assert.That(NetworkFile.Parse(json["description"]!.ToJsonString(), "shown").IsSameAs(NetworkFile.Find("tfeat")));
        Assert.That(CommandLine.MustRun("info", "--network", "l2net").Output, Does.Contain("Winograd").And.Contain("the whole tower in one kernel"));

        File.WriteAllText(folder["own.json"], Pairs);
        Assert.That(CommandLine.MustRun("info", "--network", folder["own.json"]).Output,
            Does.Contain("small-pairs").And.Contain("a score per pair").And.Contain("head"));
    }

    [Test]
    public void InfoShowsAModel()
    {
        string model = WritePairModel();
        CommandLine table = CommandLine.MustRun("info", "--model", model);
        Assert.That(table.Output, Does.Contain("small-pairs").And.Contain("patch width").And.Contain("untrained"));
        JsonNode json = JsonNode.Parse(CommandLine.MustRun("info", "--model", model, "--json").Output)!;
        Assert.That(((string)json["network"]!["name"]!, (double)json["patchScale"]!), Is.EqualTo(("small-pairs", 10.0)));
    }

    [Test]
    public void InfoExplainsWhatItCannotShow()
    {
        CommandLine.Run("info", "--network", "tfeet").Explains(2, "tfeet", "did you mean 'tfeat'");
        CommandLine.Run("info", "--network", "tfeat", "--networks").Explains(2, "give one of them");
        CommandLine.Run("info", "--model", folder["none.safetensors"]).Explains(1, "none.safetensors");
        File.WriteAllText(folder["bad.json"], Pairs.Replace("\"out\": 1", "\"out\": 2", StringComparison.Ordinal));
        CommandLine.Run("info", "--network", folder["bad.json"]).Explains(1, "bad.json", "its last layer must have one output");
        CommandLine.Run("train", "--network", folder["bad.json"], "--data", "synthetic", "--out", folder["run"]).Explains(1, "bad.json", "one output");
        File.WriteAllText(folder["bad.safetensors"], "no model");
        CommandLine.Run("info", "--model", folder["bad.safetensors"]).Explains(1, "bad.safetensors");
    }

    [Test]
    public void TFeatTrainsIsResumedDescribesAndIsExported()
    {
        string[] train = ["train", "--network", "tfeat", "--data", "synthetic", "--steps", "50", "--points", "300", "--batch", "8", "--validation", "none"];
        CommandLine.MustRun([.. train, "--device", "cpu", "--out", folder["whole"]]);
        TrainingRun run = TrainingRun.Read(folder["whole"])!;
        Assert.That(run.Options.Network.IsSameAs(NetworkFile.Find("tfeat")));
        Directory.CreateDirectory(folder["parts"]);
        run.Write(folder["parts"]);
        PatchSet data = PatchSources.Open("synthetic", run.Points, 1, run.Patches).Patches;
        using (Device device = Device.Open("cpu"))
        using (var stop = new CancellationTokenSource())
        using (var trainer = new Trainer(run.Options, data, null, device, folder["parts"]))
        {
            Assert.That(trainer.Run(new StopAt(23, stop), stop.Token).Completed, Is.False);
        }

        CommandLine.MustRun("train", "--out", folder["parts"], "--resume");
        Assert.That(File.ReadAllBytes(folder["parts/model.safetensors"]), Same.As(File.ReadAllBytes(folder["whole/model.safetensors"])));

        WriteImage("image.png");
        CommandLine.MustRun("describe", folder["image.png"], "--model", folder["whole"], "--out", folder["d.npy"], "--device", "cpu");
        Assert.That(NpyFile.Read(folder["d.npy"]).Shape[1], Is.EqualTo(128));
        CommandLine.MustRun("export", "--model", folder["whole"], "--format", "onnx", "--out", folder["m.onnx"]);
        using Device cpu = Device.Open("cpu");
        using var model = PatchModel.Load(folder["whole/model.safetensors"], cpu);
        byte[] patches = data.Pixels[..(5 * PatchSet.Area)];
        Assert.That(TrainedModels.RunOnnx(folder["m.onnx"], 32, ("patches", patches)), Is.EqualTo(model.Describe(patches, 32)).Within(1e-4));
    }

    [Test]
    public void APairNetworkIsTrainedAndEvaluatedOnPairsAlone()
    {
        File.WriteAllText(folder["own.json"], Pairs);
        BrownFolder.Write(folder["noise"], 60);
        HPatchesFolder.Write(folder["data/i_a"], 12, seed: 1);
        HPatchesFolder.Write(folder["data/v_b"], 12, seed: 2);
        HPatchesFolder.WriteTasks(folder["data"], "full", ["i_a", "v_b"], [12, 12], pairs: 40, queries: 5, distractors: 15);
        CommandLine.MustRun(
            "train", "--network", folder["own.json"], "--data", $"brown:{folder["noise"]}", "--steps", "3", "--batch", "6", "--validation", $"brown:{folder["noise"]}",
            "--device", "cpu", "--out", folder["run"]);
        string[] model = ["--model", folder["run"]];

        CommandLine brown = CommandLine.MustRun(["evaluate", "brown", folder["noise"], .. model, "--method", "model,raw", "--report", folder["brown.html"]]);
        Assert.That(brown.Output, Does.Contain("FPR95").And.Contain("run"));
        Assert.That(File.ReadAllText(folder["brown.html"]), Does.Contain("scores pairs"));

        string[] hpatches = ["evaluate", "hpatches", folder["data"], .. model, "--split", "full", "--pairs", "40"];
        CommandLine all = CommandLine.MustRun([.. hpatches, "--method", "model,raw"]);
        Assert.That(all.Output, Does.Contain("verification").And.Contain("left out: matching and retrieval of run"));
        CommandLine.MustRun([.. hpatches, "--tasks", "verification"]);
        CommandLine.Run([.. hpatches, "--tasks", "verification,matching"]).Explains(2, folder["run"], "scores pairs", "no descriptors");
    }

    [Test]
    public void WhatNeedsDescriptorsRefusesAPairNetwork()
    {
        string model = WritePairModel();
        WriteImage("a.png");
        TestSequences.WriteSequence(folder["discs"]);
        W1bsFolder.Write(folder["w1bs"], "A");
        BrownFolder.Write(folder["noise"], 60);
        string[][] commands =
        [
            ["describe", folder["a.png"], "--out", folder["d.npy"]],
            ["match", folder["a.png"], folder["a.png"]],
            ["evaluate", "brown", folder["noise"], "--binary"],
            ["evaluate", "sequences", folder["discs"]],
            ["evaluate", "oxford", folder["discs"], "--images", "2"],
            ["evaluate", "w1bs", folder["w1bs"]],
        ];
        foreach (string[] command in commands)
        {
            CommandLine.Run([.. command, "--model", model, "--device", "cpu"]).Explains(2, "small-pairs", "scores pairs", "no descriptors");
        }

        CommandLine.Run("describe", folder["a.png"], "--out", folder["d.npy"], "--model", model).Explains(2, model);
        Assert.That(File.Exists(folder["d.npy"]), Is.False);
        CommandLine.MustRun("export", "--model", model, "--format", "onnx", "--out", folder["m.onnx"]);
    }

    private void WriteImage(string name)
    {
        using Mat image = TestImages.Speckle(200, 160, 3);
        Cv2.ImWrite(folder[name], image);
    }

    private string WritePairModel()
    {
        string path = folder["pairs.safetensors"];
        ModelFile.Untrained(NetworkFile.Parse(Pairs, "pairs"), 1).Write(path);
        return path;
    }

    private sealed class StopAt(int step, CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step >= step)
            {
                stop.Cancel();
            }
        }
    }
}
