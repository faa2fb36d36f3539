using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>Networks made in code: what they need of the data, what is refused, and what trainings read of them.</summary>
public sealed class NetworkTests
{
    private static readonly PatchSet Data = TrainedModels.Data(8);

    [Test]
    public void ChangesReachTheHead()
    {
        Network changed = NetworkFile.Find("matchnet").With(layer => layer is Linear linear ? linear with { Bias = false } : layer);
        Assert.That(changed.Head.Layers.OfType<Linear>().Select(linear => linear.Bias), Is.EqualTo(new[] { false, false, false }));
        Assert.That(changed.IsSameAs(NetworkFile.Find("matchnet")), Is.False);
        Assert.That(changed.Towers[0].Layers, Is.EqualTo(NetworkFile.Find("matchnet").Towers[0].Layers));
    }

    [TestCase("l2net", PatchParts.None)]
    [TestCase("cs-l2net", PatchParts.Centres)]
    [TestCase("tnet", PatchParts.Large)]
    [TestCase("deepcompare-2ch-2stream", PatchParts.Centres)]
    [TestCase("matchnet", PatchParts.Large)]
    public void ANetworkSaysWhatThePatchesMustHold(string name, PatchParts parts)
    {
        Network network = NetworkFile.Find(name);
        Assert.That(network.Parts, Is.EqualTo(parts));
        if (parts != PatchParts.None)
        {
            using Device device = Device.Open("cpu");
            using var folder = new TemporaryFolder();
            var lacking = new PatchSet(Data.Pixels, Data.PointIds);
            var loss = new LossOptions { Family = network.ScoresPairs ? LossFamily.PairScore : LossFamily.HardestTriplet };
            Assert.That(() => new Trainer(TrainedModels.Options(network, 1, loss), lacking, null, device, folder.Path),
                Throws.ArgumentException.With.Message.Contains(parts == PatchParts.Centres ? "centres" : "all their pixels"));
        }
    }

    [Test]
    public void NetworksInCodeAreCheckedLikeThoseInFiles()
    {
        Assert.That(() => ShapedNetwork.Of(Of([])), Throws.ArgumentException.With.Message.Contains("tower 1 has no layers"));
        Network unknown = Of([new UnitVector()]) with { Input = new NetworkInput { Normalization = (PatchNormalization)9 } };
        Assert.That(() => ShapedNetwork.Of(unknown), Throws.ArgumentException.With.Message.Contains("9"));
        Assert.That(() => TrainedModels.Options(Of([new Pooling(), new UnitVector()]), 1).Validate(),
            Throws.ArgumentException.With.Message.Contains("no weights to train"));
        Network frozen = Of([new Linear { Out = 8 }, new UnitVector()]) with
        {
            Towers = [new Tower { Trained = false, Layers = [new Linear { Out = 8 }, new UnitVector()] },
                new Tower { Layers = [new Pooling(), new UnitVector()] }],
        };
        Assert.That(() => TrainedModels.Options(frozen, 1).Validate(), Throws.ArgumentException.With.Message.Contains("no weights to train"));
    }

    [Test]
    public void LossesReadTheLastTrainedTower()
    {
        Layer[] layers = [new Convolution { Out = 6, Kernel = 16, Stride = 8 }, new BatchNormalization(), new Relu(), new Linear { Out = 8 },
            new BatchNormalization(), new UnitVector()];
        Network network = Of([]) with { Towers = [new Tower { Layers = layers }, new Tower { Trained = false, Layers = layers }] };
        var initial = ModelFile.Untrained(Of(layers), 3);
        using Device device = Device.Open("cpu");
        using var folder = new TemporaryFolder();
        var loss = new LossOptions { Family = LossFamily.L2Net, IntermediateLayers = [1, 2] };
        ModelFile trained = ModelFile.Read(TrainedModels.Train(device, TrainedModels.Options(network, 2, loss), Data, folder.Path, null, initial).Model);
        Assert.That(trained.Weights.Towers[1].Layers[0]["filters"], Is.EqualTo(initial.Weights.Towers[0].Layers[0]["filters"]));
        Assert.That(trained.Weights.Towers[0].Layers[0]["filters"], Is.Not.EqualTo(initial.Weights.Towers[0].Layers[0]["filters"]));
        Assert.That(() => TrainedModels.Options(network, 2, loss with { IntermediateLayers = [3] }).Validate(),
            Throws.ArgumentException.With.Message.Contains("1 to 2"));
    }

    [Test]
    public void HammingNetworksAreValidatedByTheirSigns()
    {
        Network network = Of([new Linear { Out = 16 }]) with { Head = new NetworkHead { UnitVectors = false, Comparison = DescriptorComparison.Hamming } };
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.CreateRandom(network, 1, device);
        byte[] signs = model.DescribeBinary(Data.Pixels, 32);
        float[] values = model.Describe(Data);
        Assert.That(PatchModel.Binarize(values), Is.EqualTo(signs));

        // Twice as long descriptors have the same signs, and so the same curve.
        ModelFile longer = TestNetworks.Map(model.File, "weights", weights => [.. weights.Select((weight, i) => weight * (1 + (i / 1024)))]);
        using var other = new PatchModel(longer, device);
        var pairs = new ValidationPairs(Data);
        Assert.That(other.Describe(Data), Is.Not.EqualTo(values));
        Assert.That((pairs.Evaluate(other).Fpr95, pairs.Evaluate(other).Auc), Is.EqualTo((pairs.Evaluate(model).Fpr95, pairs.Evaluate(model).Auc)));
    }

    private static Network Of(Layer[] layers) => new() { Name = "n", Towers = [new Tower { Layers = layers }] };
}
