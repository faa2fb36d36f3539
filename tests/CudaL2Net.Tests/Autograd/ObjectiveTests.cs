using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Autograd;

/// <summary>What objectives announce and refuse. Their values and gradients are checked by <see cref="TapeTests"/>.</summary>
public sealed class ObjectiveTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        new(new LossOptions { Margin = float.NaN }, "a margin of NaN"),
        new(new LossOptions { Margin = -1 }, "a margin of -1"),
        new(new LossOptions { Scale = 0 }, "a scale of 0"),
        new(new LossOptions { NearDuplicate = float.PositiveInfinity }, "near-duplicates"),
        new(new LossOptions { Orthogonal = -0.5f }, "orthogonal regularization of -0.5"),
        new(new LossOptions { Correlation = float.NaN }, "correlation penalty of NaN"),
        new(new LossOptions { Triplet = (TripletLoss)9 }, "form 9"),
        new(new LossOptions { Metric = (DescriptorDistance)9 }, "a metric of 9"),
        new(new LossOptions { Family = (LossFamily)9 }, "the families are L2Net, HardestTriplet"),
        new(new LossOptions { Family = LossFamily.L2Net, IntermediateLayers = [0, 3] }, "E3 after layers 0, 3: layers are 1 to 7"),
        new(new LossOptions { Family = LossFamily.L2Net, IntermediateLayers = [8] }, "layers are 1 to 7"),
        new(new LossOptions { Family = LossFamily.L2Net, IntermediateLayers = [2, 1, 2] }, "E3 after layers 1, 2, 2: name each layer once"),
        new(new LossOptions { Family = LossFamily.L2Net, Distance = false, IntermediateLayers = [] }, "without E1 and E3"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void OptionsOutOfRangeAreRefused(LossOptions loss, string message) =>
        Assert.That(() => (Presets.Find("quick") with { Loss = loss }).Validate(), Throws.ArgumentException.With.Message.Contains(message));

    [Test]
    public void TheTermsAreThoseThatCount()
    {
        Assert.That(new LossOptions { Family = LossFamily.L2Net }.Create().Terms, Is.EqualTo(new[] { "E1", "E2", "E3 after layer 1", "E3 after layer 7" }));
        var last = new L2NetObjective { Distance = false, Compactness = false, IntermediateLayers = [7, 2] };
        Assert.That(last.Terms, Is.EqualTo(new[] { "E3 after layer 2", "E3 after layer 7" }));
        Assert.That(last.MapLayers, Is.EqualTo(new[] { 2, 7 }));
        Assert.That(new LossOptions { Triplet = TripletLoss.Softmax }.Create().Terms, Is.EqualTo(new[] { "softmax" }));
        Assert.That(new LossOptions { Orthogonal = 1, Correlation = 1 }.Create().Terms, Is.EqualTo(new[] { "margin", "GOR", "E2" }));
        Assert.That(new LossOptions().Create().MapLayers, Is.Empty);
    }

    [Test]
    public void TwoLossesOfOneNameAreRefused()
    {
        using Device device = Device.Open("cpu", 1);
        using var tape = new Tape(device);
        using Tensor<float> rows = device.Upload<float>(Samples.UnitRows(1, 4, 3), 4, 3);
        Variable descriptors = tape.Parameter(rows);
        tape.DistanceSoftmax(descriptors);
        Assert.That(() => tape.DistanceSoftmax(descriptors), Throws.ArgumentException.With.Message.Contains("a loss named 'E1' is recorded already"));
        Assert.That(tape.Losses, Has.Count.EqualTo(1));
    }

    [Test]
    public void AnObjectiveMustRecordWhatItAnnounces()
    {
        using Device device = Device.Open("cpu", 1);
        using var tape = new Tape(device);
        using Tensor<float> rows = device.Upload<float>(Samples.UnitRows(1, 4, 3), 4, 3);
        var inputs = new ObjectiveInputs { Descriptors = tape.Parameter(rows) };
        Assert.That(() => new Announcing(["distances", "E1"]).Record(tape, inputs),
            Throws.InvalidOperationException.With.Message.Contains("announces the terms [distances, E1] and has recorded [E1]"));
    }

    [Test]
    public void WhatTheNetworkDoesNotGiveIsNamed()
    {
        using Device device = Device.Open("cpu", 1);
        using var tape = new Tape(device);
        using Tensor<float> rows = device.Upload<float>(Samples.UnitRows(1, 4, 3), 4, 3);
        var inputs = new ObjectiveInputs { Descriptors = tape.Parameter(rows) };
        Assert.That(() => new L2NetObjective { IntermediateLayers = [] }.Record(tape, inputs),
            Throws.InvalidOperationException.With.Message.Contains("features before its unit vector"));
        Assert.That(() => new L2NetObjective { IntermediateLayers = [3] }.Record(tape, inputs), Throws.ArgumentException.With.Message.Contains("layer 3"));
        Assert.That(() => new Announcing(["E1"]).Record(tape, new ObjectiveInputs()), Throws.InvalidOperationException.With.Message.Contains("descriptors"));
    }

    private sealed class Announcing(IReadOnlyList<string> terms) : Objective
    {
        public override IReadOnlyList<string> Terms => terms;

        protected override void RecordTerms(Tape tape, ObjectiveInputs inputs) => tape.DistanceSoftmax(inputs.Descriptors);
    }
}
