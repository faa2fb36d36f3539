using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

public sealed class TrainerTests
{
    private static readonly PatchSet Data = TrainingData.Blobs(24, views: 3);

    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("cudal2net-trainer-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [TestCaseSource(nameof(PresetNames))]
    public void EveryPresetTakesStepsThatLowerNoWeightToNaN(string preset)
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = Presets.Find(preset) with { Batch = 4, PairsPerEpoch = 4, Steps = 2 };
        bool centreSurround = options.Network.Towers.Count == 2;
        PatchSet data = centreSurround ? TrainingData.Blobs(24, centres: true) : Data;
        ModelFile? initial = centreSurround ? TestNetworks.Initial(options) : null;
        using var trainer = new Trainer(options, data, data, device, folder, new TrainerSetup { InitialModel = initial });
        TrainingResult result = trainer.Run();
        Assert.That(result.Completed);
        Assert.That(float.IsFinite(result.Loss));
        ModelFile model = ModelFile.Read(result.ModelPath!);
        Assert.That(model.Network.IsSameAs(options.Network));
        if (centreSurround)
        {
            Assert.That(model.Weights.Towers[0].Layers[9]["filters"], Same.As(initial!.Weights.Towers[0].Layers[9]["filters"]), "the left tower is frozen");
            Assert.That(model.Weights.Towers[1].Layers[9]["filters"], Is.Not.EqualTo(initial.Weights.Towers[0].Layers[9]["filters"]), "the right tower is trained");
        }
    }

    [Test]
    public void TrainingSeparatesPairs()
    {
        using Device device = Device.Open("cpu");
        PatchSet validation = TrainingData.Blobs(60, seed: 2);
        using var trainer = new Trainer(Presets.Find("quick") with { Batch = 16, Steps = 30 }, TrainingData.Blobs(100), validation, device, folder);
        var losses = new List<float>();
        int measured = 0;
        TrainingResult result = trainer.Run(new Told<TrainingProgress>(progress =>
        {
            losses.Add(progress.Loss);
            measured += progress.Fpr95IsNew ? 1 : 0;
        }));
        using var untrained = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        Assert.That(losses[^1], Is.LessThan(0.7f * losses[0]));
        Assert.That(result.Fpr95, Is.LessThanOrEqualTo(new ValidationPairs(validation).Evaluate(untrained).Fpr95));

        // Values that are equal to the last one count, too.
        Assert.That(measured, Is.EqualTo(15).And.EqualTo(File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Count(line => !line.Contains("\"fpr95\":null"))));
    }

    [TestCase("quick", 1)]
    [TestCase("ral-200k+", 4)]
    [TestCase("l2net+", 4)]
    public void AStoppedRunEndsWithTheBytesOfAnUndisturbedOne(string preset, int stopAfter)
    {
        TrainingOptions options = Presets.Find(preset) with { Batch = 4, PairsPerEpoch = 12, Steps = 6 };
        string whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        using Device device = Device.Open("cpu", threads: 1), other = Device.Open("cpu", threads: 2);
        using (var trainer = new Trainer(options, Data, Data, device, whole))
        {
            trainer.Run();
        }

        using (var trainer = new Trainer(options, Data, Data, other, parts))
        using (var stop = new CancellationTokenSource())
        {
            TrainingResult result = trainer.Run(new Told<TrainingProgress>(progress =>
            {
                if (progress.Step == stopAfter)
                {
                    stop.Cancel();
                }
            }), stop.Token);
            Assert.That((result.Completed, result.Steps, result.ModelPath), Is.EqualTo((false, stopAfter, (string?)null)));
        }

        using (var trainer = new Trainer(options, Data, Data, other, parts, new TrainerSetup { Resume = true }))
        {
            Assert.That(trainer.StepsDone, Is.EqualTo(stopAfter));
            trainer.Run();
        }

        Assert.That(File.ReadAllBytes(Path.Combine(parts, "model.safetensors")), Same.As(File.ReadAllBytes(Path.Combine(whole, "model.safetensors"))));
        Assert.That(Bytes(parts, "checkpoint.safetensors"), Same.As(Bytes(whole, "checkpoint.safetensors")));
        Assert.That(Steps(parts), Is.EqualTo(Steps(whole)).And.Ordered.And.Unique);

        static byte[] Bytes(string run, string file) => File.ReadAllBytes(Path.Combine(run, file));

        static int[] Steps(string run) =>
            [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("step").GetInt32())];
    }

    [Test]
    public void ADurationBecomesAFixedNumberOfStepsThatAResumedRunKeeps()
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = Presets.Find("quick") with { Batch = 4 };
        using var stop = new CancellationTokenSource();
        int total;
        using (var trainer = new Trainer(options, Data, null, device, folder, new TrainerSetup { Duration = TimeSpan.FromSeconds(2) }))
        {
            total = trainer.TotalSteps;
            trainer.Run(new Told<TrainingProgress>(_ => stop.Cancel()), stop.Token);
        }

        using (var trainer = new Trainer(options, Data, null, device, folder, new TrainerSetup { Duration = TimeSpan.FromSeconds(9), Resume = true }))
        {
            Assert.That(trainer.TotalSteps, Is.EqualTo(total).And.Positive);
        }
    }

    [Test]
    public void ADivergingRunStopsWithAnExplanationAndLeavesNoModel()
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = (Presets.Find("quick") with { Batch = 4, Steps = 40 }).With("optimizer.learningRate", "1e30");
        using var trainer = new Trainer(options, Data, null, device, folder);
        Assert.That(() => trainer.Run(), Throws.TypeOf<TrainingCollapsedException>().With.Message.Contains("learning rate"));
        Assert.That(File.Exists(Path.Combine(folder, "model.safetensors")), Is.False);
        Assert.That(Checkpoint.Read(Path.Combine(folder, "checkpoint.safetensors")).Step, Is.Zero);
    }

    [Test]
    public void AFolderWithARunIsNotOverwritten()
    {
        using Device device = Device.Open("cpu");
        TrainingOptions options = Presets.Find("quick") with { Batch = 4, Steps = 1 };
        using (var trainer = new Trainer(options, Data, null, device, folder))
        {
            trainer.Run();
        }

        Assert.That(() => new Trainer(options, Data, null, device, folder), Throws.InstanceOf<IOException>().With.Message.Contains("--resume"));
        var resume = new TrainerSetup { Resume = true };
        Assert.That(() => new Trainer(options with { Seed = 2 }, Data, null, device, folder, resume),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("other settings"));
        Assert.That(() => new Trainer(options, TrainingData.Blobs(24, seed: 9), null, device, folder, resume),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("other training data"));
        string checkpoint = Path.Combine(folder, "checkpoint.safetensors");
        File.WriteAllBytes(checkpoint, File.ReadAllBytes(checkpoint)[..1000]);
        Assert.That(() => new Trainer(options, Data, null, device, folder, resume),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains(checkpoint));
    }

    [Test]
    public void BatchesOfOneAndMissingInitialModelsAreRefused()
    {
        using Device device = Device.Open("cpu");
        Assert.That(() => new Trainer(Presets.Find("quick") with { Batch = 1 }, Data, null, device, folder),
            Throws.ArgumentException.With.Message.Contains("at least 2 pairs"));
        Assert.That(() => new Trainer(Presets.Find("cs-l2net") with { Batch = 4 }, Data, null, device, folder),
            Throws.ArgumentException.With.Message.Contains("64 x 64"));
        Assert.That(() => new Trainer(Presets.Find("cs-l2net") with { Batch = 4 }, TrainingData.Blobs(24, centres: true), null, device, folder),
            Throws.ArgumentException.With.Message.Contains("--init"));
    }

    private static IEnumerable<string> PresetNames() => Presets.All.Select(preset => preset.Name).Append("hardnet-200k+").Append("cs-l2net+");
}
