using System.Text.Json;
using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

/// <summary>Trainings that minimize an objective of one's own in place of the options' loss.</summary>
public sealed class OwnObjectiveTests
{
    private static readonly PatchSet Data = TrainingData.Blobs(24);

    private static readonly TrainingOptions Options = Presets.Find("quick") with { Batch = 4, PairsPerEpoch = 12, Steps = 6 };

    [Test]
    public void ItIsMinimizedAndAStoppedRunGoesOnWithIt()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        TrainerSetup setup = new() { Objective = new ApartAndTogether(0.5f) };
        using (var whole = new Trainer(Options, Data, null, device, folder["whole"], setup))
        {
            whole.Run();
        }

        using var stop = new CancellationTokenSource();
        using (var begun = new Trainer(Options, Data, null, device, folder["stopped"], setup))
        {
            begun.Run(new StopAt(3, stop), stop.Token);
            Assert.That(begun.StepsDone, Is.LessThan(6));
        }

        using (var resumed = new Trainer(Options, Data, null, device, folder["stopped"], setup with { Resume = true }))
        {
            resumed.Run();
        }

        Assert.That(File.ReadAllBytes(Path.Combine(folder["stopped"], "model.safetensors")),
            Same.As(File.ReadAllBytes(Path.Combine(folder["whole"], "model.safetensors"))));
        JsonElement terms = JsonDocument.Parse(File.ReadLines(Path.Combine(folder["whole"], "metrics.jsonl")).First()).RootElement.GetProperty("terms");
        Assert.That(terms.EnumerateObject().Select(term => term.Name), Is.EqualTo(new[] { "margin", "together", "map" }));
        Assert.That(terms.GetProperty("together").GetSingle(), Is.Negative.And.GreaterThanOrEqualTo(-0.5f));
    }

    [Test]
    public void OptionsOutOfRangeAreRefusedBeforeTheRunBegins()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        Assert.That(() => new Trainer(Options, Data, null, device, folder["run"], new TrainerSetup { Objective = new ApartAndTogether(0.5f, 9) }),
            Throws.ArgumentException.With.Message.Contains("the maps of layers 9: layers are 1 to"));
        Assert.That(folder["run"], Does.Not.Exist);
    }

    // A loss of the box, the cosines of pairs, and the mean of a map's squares.
    private sealed class ApartAndTogether(float weight, int layer = 2) : Objective
    {
        private readonly HardestTripletObjective apart = new();

        public override IReadOnlyList<int> MapLayers => [layer];

        public override IReadOnlyList<string> Terms => [.. apart.Terms, "together", "map"];

        protected override void RecordTerms(Tape tape, ObjectiveInputs inputs)
        {
            apart.Record(tape, inputs);
            Variable map = inputs.Maps[layer];
            tape.Loss("together", tape.RowDots(tape.FirstHalf(inputs.Descriptors), tape.SecondHalf(inputs.Descriptors)), -weight);
            tape.Loss("map", tape.Multiply(map, map), 0.01f);
        }
    }

    private sealed class StopAt(int step, CancellationTokenSource source) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step >= step)
            {
                source.Cancel();
            }
        }
    }
}
