using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Networks.Onnx;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

public sealed class CheckpointTests
{
    private static readonly Network Small = NetworkFile.Parse(
        """
        {"name": "small", "input": {"normalization": "perPatch"}, "towers": [{"layers": [{"type": "convolution", "out": 8, "kernel": 32}, {"type": "unitVector"}]}]}
        """,
        "small");

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        Checkpoint written = Write(3, 40), read = Checkpoint.Read(Path);
        Assert.That((read.Step, read.TotalSteps, read.FirstLoss, read.Precision), Is.EqualTo((3, 40, 1.5f, Precision.Bf16)));
        Assert.That(read.Options.ToJson(), Is.EqualTo(written.Options.ToJson()));
        Assert.That(read.Moments[0], Is.EqualTo(written.Moments[0]));
        Assert.That(ModelFile.Read(Path).Unfinished, Is.EqualTo("step 3 of 40"));
        Write(40, 40);
        Assert.That(ModelFile.Read(Path).Unfinished, Is.Null);
    }

    [TestCase("step", "41")]
    [TestCase("step", "-1")]
    [TestCase("step", "many")]
    [TestCase("step", null)]
    [TestCase("total_steps", "0")]
    [TestCase("total_steps", "2")]
    [TestCase("total_steps", "1e3")]
    [TestCase("total_steps", null)]
    [TestCase("first_loss", "low")]
    [TestCase("first_loss", "Infinity")]
    [TestCase("precision", "float128")]
    [TestCase("precision", "77")]
    [TestCase("options", null)]
    [TestCase("options", "null")]
    [TestCase("options", "")]
    [TestCase("options", "[]")]
    [TestCase("options", "3")]
    [TestCase("options", "{}")]
    [TestCase("options", "{\"preset\":null}")]
    [TestCase("options", "{\"preset\":\"a\",\"architecture\":7}")]
    [TestCase("options", "{\"preset\":\"a\",\"architecture\":\"l2Net\",\"loss\":3}")]
    [TestCase("options", "{\"preset\":\"a\",\"architecture\":\"l2Net\",\"epsilon\":5}")]
    [TestCase("patch_scale", "-1")]
    [TestCase("patch_scale", "NaN")]
    [TestCase("network", "{}")]
    [TestCase("network", "null")]
    public void MetadataThatMakeNoSenseAreRefused(string key, string? value)
    {
        Write(3, 40);
        Change(metadata =>
        {
            metadata.Remove(key);
            if (value is not null)
            {
                metadata[key] = value;
            }
        });
        Refused();
    }

    [TestCase("batch", "1")]
    [TestCase("batch", "-8")]
    [TestCase("batch", "1.5")]
    [TestCase("batch", "\"8\"")]
    [TestCase("batch", "99999999999")]
    [TestCase("epochs", "0")]
    [TestCase("steps", "-5")]
    [TestCase("pairsPerEpoch", "-1")]
    [TestCase("loss", "null")]
    [TestCase("optimizer", "null")]
    [TestCase("network", "null")]
    [TestCase("network", "\"hardnet\"")]
    [TestCase("sampling", "\"sometimes\"")]
    [TestCase("sampling", "17")]
    [TestCase("statisticsMomentum", "2")]
    [TestCase("optimizer.learningRate", "-1")]
    [TestCase("optimizer.learningRate", "1e999")]
    [TestCase("optimizer.momentum", "1")]
    [TestCase("optimizer.dampening", "-1")]
    [TestCase("optimizer.beta2", "1")]
    [TestCase("optimizer.weightDecay", "-1")]
    [TestCase("optimizer.kind", "null")]
    [TestCase("loss.intermediateLayers", "null")]
    [TestCase("shoes", "3")]
    [TestCase("loss.shoes", "3")]
    public void OptionsThatMakeNoSenseAreRefused(string path, string json)
    {
        Write(3, 40);
        Change(metadata =>
        {
            JsonObject options = JsonNode.Parse(metadata["options"])!.AsObject(), parent = options;
            string[] names = path.Split('.');
            parent = names.Length > 1 ? options[names[0]]!.AsObject() : options;
            parent[names[^1]] = JsonNode.Parse(json);
            metadata["options"] = options.ToJsonString();
        });
        Refused();
    }

    [Test]
    public void MomentsThatAreNotFiniteAreRefused()
    {
        Write(3, 40, moment: float.NaN);
        Refused("moments.0");
    }

    [Test]
    public void ACheckpointOfAnEarlierVersionIsGoneOnFromAndTheTrainerSaysThatItHasNoDigest([Values] bool old)
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = TrainedModels.Options(Small, 2);
        using (var trainer = new Trainer(options, TrainingData.Blobs(24), null, device, folder.Path))
        {
            trainer.Run();
        }

        byte[] file = File.ReadAllBytes(Path);
        file[file.AsSpan().IndexOf("cudal2net_sha256"u8)] = (byte)(old ? 'k' : 'c');
        File.WriteAllBytes(Path, file);
        using var resumed = new Trainer(options, TrainingData.Blobs(24), null, device, folder.Path, new TrainerSetup { Resume = true });
        Assert.That((resumed.StepsDone, resumed.LacksDigest), Is.EqualTo((2, old)));
    }

    [Test]
    public void WeightsOfAnotherNetworkThanThatOfTheOptionsAreRefusedWhenTheTrainingGoesOn()
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = TrainedModels.Options(Small, 2);
        using (var trainer = new Trainer(options, TrainingData.Blobs(24), null, device, folder.Path))
        {
            trainer.Run();
        }

        Checkpoint whole = Checkpoint.Read(Path);
        Network other = Small with { Towers = [Small.Towers[0] with { Layers = [new Convolution(16, 32), new UnitVector()] }] };
        (whole with { Model = ModelFile.Untrained(other, 1) }).Write(Path);
        Assert.That(
            () => new Trainer(options, TrainingData.Blobs(24), null, device, folder.Path, new TrainerSetup { Resume = true }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("checkpoint.safetensors"));
    }

    [Test]
    public void AModelThatIsWrittenAnewSaysThatItIsUnfinishedAndIsNoCheckpoint()
    {
        Write(3, 40);
        ModelFile.Read(Path).Write(folder["exported.safetensors"]);
        ModelFile exported = ModelFile.Read(folder["exported.safetensors"]);
        Assert.That(exported.Unfinished, Is.EqualTo("step 3 of 40"));
        Assert.That(exported.Metadata["unfinished"], Is.EqualTo("step 3 of 40"));
        Assert.That(exported.Metadata.Keys, Has.None.AnyOf("checkpoint", "options", "first_loss"));
        Assert.That(() => Checkpoint.Read(folder["exported.safetensors"]), Throws.TypeOf<InvalidDataException>());
        OnnxExporter.Write(folder["exported.onnx"], exported);
        Assert.That(
            ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["exported.onnx"])).MetadataProps.Single(entry => entry.Key == "unfinished").Value,
            Is.EqualTo("step 3 of 40"));
    }

    private string Path => folder["checkpoint.safetensors"];

    private Checkpoint Write(int step, int total, float moment = 0.25f)
    {
        var checkpoint = new Checkpoint(
            ModelFile.Untrained(Small, 1), [[1, moment]], TrainedModels.Options(Small, 40), "data", step, total, 1.5f, "cpu", Precision.Bf16);
        checkpoint.Write(Path);
        return checkpoint;
    }

    // With the digest of the changed content: a file that somebody edited.
    private void Change(Action<Dictionary<string, string>> change)
    {
        SafetensorsFile file = SafetensorsFile.Read(Path);
        var metadata = new Dictionary<string, string>(file.Metadata);
        change(metadata);
        SafetensorsFile.Write(Path, file.Tensors, metadata);
    }

    private void Refused(string word = "checkpoint.safetensors") => Assert.That(
        () => Checkpoint.Read(Path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("checkpoint.safetensors").And.Message.Contains(word));
}
