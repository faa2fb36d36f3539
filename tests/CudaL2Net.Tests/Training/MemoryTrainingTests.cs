using CudaL2Net.Data;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

/// <summary>Trainings without a folder: patches, checkpoints and model are in memory.</summary>
public sealed class MemoryTrainingTests(string name) : DeviceTests(name)
{
    private const int Steps = 6;

    private static readonly PatchSet Data = TrainingData.Blobs(24), Others = TrainingData.Blobs(12, seed: 2);

    private static readonly TrainingOptions Options = TrainedModels.Options(TestNetworks.Small, Steps);

    [Test]
    public void ModelAndCheckpointHaveTheBytesOfTheFilesThatAFolderGets()
    {
        using var folder = new TemporaryFolder();
        using (var trainer = new Trainer(Options, Data, Others, device, folder.Path))
        {
            trainer.Run();
        }

        using var inMemory = new Trainer(Options, Data, Others, device);
        TrainingResult result = inMemory.Run();
        Assert.That((result.Completed, result.Steps, result.ModelPath, result.CheckpointPath), Is.EqualTo((true, Steps, (string?)null, (string?)null)));
        Assert.That(result.Model.ToBytes(), Same.As(File.ReadAllBytes(folder["model.safetensors"])));
        Assert.That(inMemory.ToCheckpoint(), Same.As(File.ReadAllBytes(folder["checkpoint.safetensors"])));
        Assert.That(ModelFile.Read(new MemoryStream(result.Model.ToBytes()), "bytes").Network.IsSameAs(Options.Network));
    }

    [Test]
    public void WhatGoesOnFromACheckpointInMemoryEndsAsIfItHadNotStopped([Values(0, 1, 4)] int stopAfter)
    {
        (byte[] model, byte[] end) = Whole();
        byte[] checkpoint;
        using (var begun = new Trainer(Options, Data, null, device, new TrainerSetup { ReportInterval = 1 }))
        using (var stop = new CancellationTokenSource())
        {
            if (stopAfter == 0)
            {
                stop.Cancel();
            }

            TrainingResult part = begun.Run(new Told<TrainingProgress>(progress => Stop(progress, stop)), stop.Token);
            Assert.That((part.Completed, part.Steps), Is.EqualTo((false, stopAfter)).Or.EqualTo((false, stopAfter + 1)));
            Assert.That(part.Model.Unfinished, Is.EqualTo($"step {part.Steps} of {Steps}"));
            checkpoint = begun.ToCheckpoint();
        }

        using var resumed = new Trainer(Options, Data, null, device, new TrainerSetup { Checkpoint = checkpoint });
        Assert.That((resumed.StepsDone, resumed.OtherDevice, resumed.LacksDigest), Is.EqualTo((Checkpoint.Read(checkpoint, "it").Step, (string?)null, false)));
        Assert.That(resumed.Run().Model.ToBytes(), Same.As(model));
        Assert.That(resumed.ToCheckpoint(), Same.As(end));

        void Stop(TrainingProgress progress, CancellationTokenSource stop)
        {
            if (progress.Step == stopAfter)
            {
                stop.Cancel();
            }
        }
    }

    [Test]
    public void ACheckpointOfAReportIsGoneOnFrom()
    {
        (byte[] model, _) = Whole();
        byte[]? checkpoint = null;
        using var trainer = new Trainer(Options, Data, null, device, new TrainerSetup { ReportInterval = 1 });
        trainer.Run(new Told<TrainingProgress>(progress => checkpoint = progress.Step == 3 ? trainer.ToCheckpoint() : checkpoint));
        using var resumed = new Trainer(Options, Data, null, device, new TrainerSetup { Checkpoint = checkpoint });
        Assert.That(resumed.StepsDone, Is.InRange(3, 4));
        Assert.That(resumed.Run().Model.ToBytes(), Same.As(model));
    }

    [Test]
    public void EveryStepIsReportedWithEachTermByItsName()
    {
        TrainingOptions options = Options.With("loss.orthogonal", "1");
        var seen = new List<TrainingProgress>();
        using var trainer = new Trainer(options, Data, null, device, new TrainerSetup { ReportInterval = 1 });
        trainer.Run(new Told<TrainingProgress>(seen.Add));
        Assert.That(seen.Select(progress => progress.Step), Is.EqualTo(Enumerable.Range(1, Steps)));
        foreach (TrainingProgress progress in seen)
        {
            Assert.That(progress.Terms.Keys, Is.EqualTo(options.Loss.Create().Terms).And.Count.EqualTo(2));
            Assert.That(progress.Terms.Values.Sum(), Is.EqualTo(progress.Loss));
            Assert.That(progress.Terms.Values, Has.All.Not.Zero);
        }
    }

    [Test]
    public void AValidationSeesTheNetworkAndStopsTheRun()
    {
        (byte[] model, _) = Whole();
        var seen = new List<(int Step, float[] Descriptors)>();
        ModelFile? kept = null;
        var setup = new TrainerSetup
        {
            ValidationInterval = 2,
            Validate = (network, progress) =>
            {
                seen.Add((progress.Step, network.Describe(Others)));
                kept = network.File;
                return progress.Step < 4;
            },
        };
        using var stopped = new Trainer(Options, Data, null, device, setup);
        TrainingResult result = stopped.Run();
        Assert.That((result.Completed, result.Steps), Is.EqualTo((false, 4)));
        Assert.That(seen.Select(call => call.Step), Is.EqualTo(new[] { 2, 4 }));
        Assert.That(result.Model.Unfinished, Is.Null, "it is as long as it should be");
        Assert.That(result.Model.ToBytes(), Same.As(kept!.ToBytes()));
        using var last = new PatchModel(result.Model, device);
        Assert.That(seen[1].Descriptors, Is.EqualTo(last.Describe(Others)).And.Not.EqualTo(seen[0].Descriptors));

        using var resumed = new Trainer(Options, Data, null, device, new TrainerSetup
        {
            Checkpoint = stopped.ToCheckpoint(),
            ValidationInterval = 4,
            Validate = (_, progress) => progress.Step == Steps,
        });
        Assert.That(resumed.Run().Completed, "it is asked at the end, too");
        Assert.That(resumed.Run().Model.ToBytes(), Same.As(model));
    }

    [Test]
    public void WhatDoesNotFitIsRefused()
    {
        using var trainer = new Trainer(Options, Data, null, device);
        byte[] checkpoint = trainer.ToCheckpoint(), damaged = [.. checkpoint];
        damaged[^9] ^= 1;
        Fails<InvalidDataException>(Options, Data, new TrainerSetup { Checkpoint = damaged }, "the checkpoint in memory");
        Fails<InvalidDataException>(Options, Data, new TrainerSetup { Checkpoint = [1, 2, 3] }, "the checkpoint in memory");
        Fails<InvalidDataException>(Options with { Seed = 2 }, Data, new TrainerSetup { Checkpoint = checkpoint }, "made with other settings");
        Fails<InvalidDataException>(Options, Others, new TrainerSetup { Checkpoint = checkpoint }, "made with other training data");
        Fails<ArgumentException>(Options, Data, new TrainerSetup { Resume = true }, "in place of Resume");
        Fails<ArgumentException>(Options, Data, new TrainerSetup { ReportInterval = 0 }, "at least 1");
        Fails<ArgumentException>(Options, Data, new TrainerSetup { ValidationInterval = -1 }, "at least 1");
        using var folder = new TemporaryFolder();
        Assert.That(
            () => new Trainer(Options, Data, null, device, folder["run"], new TrainerSetup { Checkpoint = checkpoint }),
            Throws.ArgumentException.With.Message.Contains("leave out the folder"));
        Assert.That(folder["run"], Does.Not.Exist);

        void Fails<T>(TrainingOptions options, PatchSet data, TrainerSetup setup, string words)
            where T : Exception => Assert.That(() => new Trainer(options, data, null, device, setup), Throws.InstanceOf<T>().With.Message.Contains(words));
    }

    [Test]
    public void ATrainingThatDivergesNamesNoFolder()
    {
        using var trainer = new Trainer(Options.With("optimizer.learningRate", "1e30"), Data, null, device);
        Assert.That(
            () => trainer.Run(),
            Throws.TypeOf<TrainingCollapsedException>().With.Message.Contains("Try").And.Message.Not.Contains("is still in"));
    }

    private (byte[] Model, byte[] Checkpoint) Whole()
    {
        using var trainer = new Trainer(Options, Data, null, device);
        return (trainer.Run().Model.ToBytes(), trainer.ToCheckpoint());
    }
}
