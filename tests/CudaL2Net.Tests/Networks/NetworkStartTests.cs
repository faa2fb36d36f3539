using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Tests.Networks;

/// <summary>Trainings that start from the weights of a trained model.</summary>
public sealed class NetworkStartTests
{
    private static readonly Layer[] Layers =
    [
        new Convolution { Out = 4, Kernel = 16, Stride = 8, Bias = true }, new BatchNormalization { Epsilon = 1e-3f, Learned = true }, new Relu(),
            new Linear { Out = 8 },
        new UnitVector(),
    ];

    [Test]
    public void OneTowerStartsAllTowersOfALargerNetwork()
    {
        ModelFile model = Model(Layers, side: 32, mean: true);
        Network wanted = Of(64, new Tower { View = PatchView.Reduced, Trained = false, Layers = Layers },
            new Tower { View = PatchView.Centre, Layers = Layers });
        (Network network, NetworkWeights weights) = NetworkStart.From(wanted, model, keepEpsilon: true);
        Assert.That(network.IsSameAs(wanted));
        Assert.That(weights.Towers, Has.Count.EqualTo(2));
        foreach (TowerWeights tower in weights.Towers)
        {
            Assert.That(tower.Layers[3]["weights"], Is.EqualTo(model.Weights.Towers[0].Layers[3]["weights"]));
            Assert.That(tower.MeanImage, Is.EqualTo(model.Weights.Towers[0].MeanImage));
        }
    }

    [Test]
    public void DropoutBiasesAndLearnedScalesMayDiffer()
    {
        ModelFile model = Model(Layers);
        Layer[] wanted =
        [
            new Dropout { Rate = 0.1f }, new Convolution { Out = 4, Kernel = 16, Stride = 8 }, new BatchNormalization { Epsilon = 1e-5f }, new Relu(),
            new Dropout { Rate = 0.3f }, new Linear { Out = 8, Bias = false }, new UnitVector(),
        ];
        (Network network, NetworkWeights weights) = NetworkStart.From(Of(32, new Tower { Layers = wanted }), model, keepEpsilon: false);
        Layer[] expected =
        [
            wanted[0], Layers[0], new BatchNormalization { Epsilon = 1e-5f, Learned = true }, new Relu(), wanted[4], Layers[3], new UnitVector(),
        ];
        Assert.That(network.Towers[0].Layers, Is.EqualTo(expected));
        Assert.That(weights.Towers[0].Layers[2]["scale"], Is.EqualTo(model.Weights.Towers[0].Layers[1]["scale"]));
        Assert.That(weights.Towers[0].Layers[5]["bias"], Is.EqualTo(model.Weights.Towers[0].Layers[3]["bias"]));
        Assert.That(weights.Towers[0].Layers[4].Names, Is.Empty);
        (network, _) = NetworkStart.From(Of(32, new Tower { Layers = wanted }), model, keepEpsilon: true);
        Assert.That(network.Towers[0].Layers[2], Is.EqualTo(new BatchNormalization { Epsilon = 1e-3f, Learned = true }));
    }

    private static IEnumerable<TestCaseData> Others()
    {
        yield return Case("anotherWidth", Of(32, new Tower
        {
            Layers = [Layers[0] with { }, Layers[1], Layers[2], new Linear { Out = 16 },
            new UnitVector()]
        }), "tower 1, layer 4 (linear to 16");
        yield return Case("shorter", Of(32, new Tower { Layers = Layers[..3] }) with { Head = new NetworkHead { UnitVectors = false } }, "goes on with linear");
        yield return Case("longer", Of(32, new Tower { Layers = [.. Layers, new UnitVector()] }),
            "tower 1, layer 6 (unitVector): the initial model ends before");
        yield return Case("anotherStride", Of(32, new Tower { Layers = [new Convolution { Out = 4, Kernel = 16, Stride = 4 }, .. Layers[1..]] }),
            "tower 1, layer 1");
        yield return Case("anotherSide", Of(64, new Tower { Layers = Layers }), "tower 1, layer 4 (linear)", "1568", "same side");
        yield return Case("twoChannels", Pair(Layers, 1), "has no weights for the head");
        yield return Case("oneTower", Of(32, new Tower { Layers = Layers }, new Tower { Layers = Layers }, new Tower { Layers = Layers }), null!);

        static TestCaseData Case(string name, Network wanted, params string[] words) => new TestCaseData(wanted, words).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Others))]
    public void OtherLayersAreRefused(Network wanted, string[]? words)
    {
        if (words is null or [null])
        {
            Assert.That(NetworkStart.From(wanted, Model(Layers), keepEpsilon: false).Weights.Towers, Has.Count.EqualTo(3), "one tower starts any number");
            return;
        }

        ArgumentException error = Assert.Throws<ArgumentException>(() => NetworkStart.From(wanted, Model(Layers), keepEpsilon: false))!;
        Array.ForEach(words, word => Assert.That(error.Message, Does.Contain(word)));
    }

    [Test]
    public void ModelsOfOtherInputsAreRefused()
    {
        ModelFile pairs = ModelFile.Untrained(Pair(Layers[..4], 2), 1);
        Assert.That(() => NetworkStart.From(Pair(Layers[..4], 1), pairs, keepEpsilon: false),
            Throws.ArgumentException.With.Message.Contains("tower 1, layer 1 (convolution)").And.Message.Contains("channels"));
        (_, NetworkWeights weights) = NetworkStart.From(Pair(Layers[..4], 2), pairs, keepEpsilon: false);
        Assert.That(weights.Head[0]["weights"], Is.EqualTo(pairs.Weights.Head[0]["weights"]));
        ModelFile two = ModelFile.Untrained(Of(32, new Tower { Layers = Layers }, new Tower { Layers = Layers }), 1);
        Assert.That(() => NetworkStart.From(Of(32, new Tower { Layers = Layers }), two, keepEpsilon: false),
            Throws.ArgumentException.With.Message.Contains("2 towers"));
        Layer[] anySide = [new Pooling { Kernel = 32, Stride = 32 }, new Convolution { Out = 3, Kernel = 1 }, new UnitVector()];
        Assert.That(() => NetworkStart.From(Of(64, new Tower { Trained = false, Layers = anySide }, new Tower { Layers = anySide }),
            Model(anySide, 32, mean: true), keepEpsilon: true),
            Throws.ArgumentException.With.Message.Contains("mean image of 1024"));
    }

    private static Network Of(int side, params Tower[] towers) => new()
    {
        Name = "n",
        Input = new NetworkInput { Side = side, Normalization = PatchNormalization.L2Net },
        Towers = towers,
    };

    private static Network Pair(Layer[] layers, int channels) => new()
    {
        Name = "pairs",
        Input = new NetworkInput { Channels = channels },
        Towers = [new Tower { Layers = layers }],
        Head = new NetworkHead { Kind = HeadKind.Score, Layers = [new Linear { Out = 1 }] },
    };

    private static ModelFile Model(Layer[] layers, int side = 32, bool mean = false)
    {
        Network network = Of(side, new Tower { Layers = layers });
        var weights = NetworkWeights.Initialize(network, 7);
        return new ModelFile(
            network,
            weights with { Towers = [weights.Towers[0] with { MeanImage = mean ? [.. Enumerable.Range(0, side * side).Select(i => (float)i)] : null }] },
            10,
            new Dictionary<string, string>());
    }
}
