using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Tests.Networks;

/// <summary>Networks as JSON: those of the library against the papers' numbers, and descriptions that do not fit.</summary>
public sealed class NetworkFileTests
{
    private const string Vector = """{"type":"unitVector"}""";

    private const string L2Net = "32x32x32 16x16x64 8x8x128 1x1x128";

    /// <summary>Name, weights and biases, multiply-adds for a patch or a pair, and the different maps of each tower and of the head, by the papers'
    /// tables.</summary>
    private static readonly object[][] Papers =
    [
        ["hardnet", 1_334_560, 39_092_224, L2Net],
        ["sosnet", 1_334_560, 39_092_224, L2Net],
        ["hynet", 1_336_355, 39_092_224, $"32x32x1 {L2Net}"],
        ["deepdesc", 280_320, 51_018_880, "58x58x32 29x29x32 24x24x64 8x8x64 4x4x128 1x1x128"],
        ["l2net", 1_335_136, 39_092_224, L2Net],
        ["cs-l2net", 2_670_272, 78_184_448, $"{L2Net} | {L2Net}"],
        ["tfeat", 599_808, 6_302_848, "26x26x32 13x13x32 8x8x64 1x1x128"],
        ["tnet", 1_040_000, 19_043_840, "20x20x96 10x10x96 6x6x192 3x3x192 1x1x256"],
        ["matchnet", 9_673_713, (2 * 93_683_712) + 9_438_208, "64x64x24 32x32x24 32x32x64 16x16x64 16x16x96 16x16x64 8x8x64 | 1x1x1024 1x1x1"],
        ["deepcompare-2ch", 979_169, 20_860_160, "20x20x96 10x10x96 6x6x192 3x3x192 1x1x256 | 1x1x256 1x1x1"],
        ["deepcompare-2ch-deep", 1_673_665, 87_128_832, "21x21x96 19x19x96 17x17x96 15x15x96 8x8x96 6x6x192 4x4x192 2x2x192 | 1x1x768 1x1x1"],
        ["deepcompare-2ch-2stream", 2_353_153, 40_557_312,
            "28x28x96 14x14x96 12x12x96 6x6x96 4x4x192 2x2x192 | 28x28x96 14x14x96 12x12x96 6x6x96 4x4x192 2x2x192 | 1x1x768 1x1x1"],
    ];

    [Test]
    public void TheTableHasAllNetworksOfTheLibrary() => Assert.That(Papers.Select(row => (string)row[0]), Is.EquivalentTo(NetworkFile.Names));

    [TestCaseSource(nameof(Papers))]
    public void NetworksOfTheLibraryAreThoseOfThePapers(string name, long parameters, long multiplyAdds, string maps)
    {
        var shaped = ShapedNetwork.Of(NetworkFile.Find(name));
        Assert.That(shaped.Parameters, Is.EqualTo(parameters));
        Assert.That(shaped.MultiplyAdds, Is.EqualTo(multiplyAdds));
        Assert.That(string.Join(" | ", shaped.Towers.Append(shaped.Head).Where(chain => chain.Layers.Count > 0).Select(Maps)), Is.EqualTo(maps));

        static string Maps(LayerChain chain)
        {
            string[] all = [.. chain.Layers.Select(layer => $"{layer.Output.Height}x{layer.Output.Width}x{layer.Output.Channels}")];
            return string.Join(' ', all.Where((map, i) => i == 0 || map != all[i - 1]));
        }
    }

    [TestCaseSource(nameof(Papers))]
    public void NetworksOfTheLibraryAreReadAsTheyAreWritten(string name, long parameters, long multiplyAdds, string maps)
    {
        Network network = NetworkFile.Find(name);
        foreach (bool indented in new[] { false, true })
        {
            string text = NetworkFile.Write(network, indented);
            Network read = NetworkFile.Parse(text, "written");
            Assert.That(read.IsSameAs(network));
            Assert.That(NetworkFile.Write(read, indented), Is.EqualTo(text));
            Assert.That((read.Name, read.About), Is.EqualTo((network.Name, network.About)));
        }
    }

    [Test]
    public void SettingsOfEveryLayerAreKept()
    {
        Layer[] layers =
        [
            new Convolution { Out = 4, Kernel = 5, Stride = 2, Padding = 3, Bias = true }, new BatchNormalization { Epsilon = 0.25f, Learned = true },
                new Relu(),
            new Pooling { Kind = PoolKind.L2, Kernel = 3, Stride = 1, Padding = 1, RoundUp = true }, new SubtractiveNormalization { Kernel = 7 },
            new FilterResponseNormalization { Epsilon = 0.5f, Threshold = false }, new Dropout { Rate = 0.125f },
            new LocalResponseNormalization { Window = 3, Kappa = 2, Alpha = 0.5f, Beta = 0.25f }, new PixelScale(), new Tanh(), new Linear { Out = 9, Bias = false },
                new UnitVector(),
        ];
        var network = new Network
        {
            Name = "all \"kinds\"",
            About = "ä",
            Input = new NetworkInput { Side = 64, Normalization = PatchNormalization.Fixed, Mean = 1.5f, Deviation = 2.5f, MeanImage = true },
            Towers = [new Tower { View = PatchView.Reduced, Trained = false, Layers = layers },
                new Tower { View = PatchView.Centre, Layers = [new UnitVector()] },
                new Tower { Layers = layers }],
            Head = new NetworkHead { Comparison = DescriptorComparison.Cosine },
        };
        Network read = NetworkFile.Parse(NetworkFile.Write(network), "written");
        Assert.That(read.Towers[0].Layers, Is.EqualTo(layers));
        Assert.That(read.Input, Is.EqualTo(network.Input));
        Assert.That(read.Towers.Select(tower => (tower.View, tower.Trained)), Is.EqualTo(network.Towers.Select(tower => (tower.View, tower.Trained))));
        Assert.That((read.Name, read.About, read.Head.Comparison, read.Head.UnitVectors),
            Is.EqualTo((network.Name, network.About, DescriptorComparison.Cosine, true)));
        Assert.That(read.IsSameAs(network with { Input = network.Input with { Mean = 1.25f } }), Is.False);
    }

    [Test]
    public void CommentsAndTrailingCommasAreTaken()
    {
        Network network = NetworkFile.Parse(
            """
            // A network with notes.
            {
              "name": "noted", /* the rest is as usual */
              "towers": [ { "layers": [ { "type": "linear", "out": 8, }, { "type": "unitVector" }, ], }, ],
            }
            """,
            "noted.json");
        Assert.That(ShapedNetwork.Of(network).Dimension, Is.EqualTo(8));
    }

    [TestCase("""{"type":"sigmoid"},""", "tower 1, layer 1", "'sigmoid'", "relu, tanh")]
    [TestCase("""{"type":"relu"},{"typ":"relu"},""", "tower 1, layer 2", "\"type\"")]
    [TestCase("""{"type":"relu"},7,""", "tower 1, layer 2", "\"type\"")]
    [TestCase("""{"type":"convolution","out":4,"filters":3},""", "tower 1, layer 1", "convolution", "filters", "out, kernel, stride, padding, bias")]
    [TestCase("""{"type":"relu","slope":0.1},""", "tower 1, layer 1", "relu", "slope", "none but type")]
    [TestCase("""{"type":"convolution","out":"four"},""", "tower 1, layer 1", "convolution", "out, kernel")]
    [TestCase("""{"type":"convolution","out":4.5},""", "tower 1, layer 1", "convolution")]
    [TestCase("""{"type":"convolution"},""", "tower 1, layer 1", "0 output channels", "1 to 65536")]
    [TestCase("""{"type":"convolution","out":4,"kernel":33},""", "tower 1, layer 1", "a kernel of 33", "32 x 32 x 1", "at most 32")]
    [TestCase("""{"type":"pooling"},{"type":"convolution","out":4,"kernel":17},""", "tower 1, layer 2", "a kernel of 17", "16 x 16 x 1", "at most 16")]
    [TestCase("""{"type":"convolution","out":4,"stride":0},""", "tower 1, layer 1", "a stride of 0")]
    [TestCase("""{"type":"convolution","out":4,"padding":3},""", "tower 1, layer 1", "a padding of 3", "0 to 2")]
    [TestCase("""{"type":"linear","out":0},""", "tower 1, layer 1 (linear)", "0 output values")]
    [TestCase("""{"type":"pooling","kernel":40},""", "tower 1, layer 1 (pooling)", "40 x 40", "32 x 32")]
    [TestCase("""{"type":"pooling","kind":"median"},""", "tower 1, layer 1", "pooling", "kind")]
    [TestCase("""{"type":"pooling","kind":1},""", "tower 1, layer 1", "pooling", "kind")]
    [TestCase("""{"type":"pooling","padding":2},""", "tower 1, layer 1 (pooling)", "padding 2")]
    [TestCase("""{"type":"subtractiveNormalization","kernel":4},""", "tower 1, layer 1", "a kernel of 4", "odd")]
    [TestCase("""{"type":"dropout","rate":1},""", "tower 1, layer 1 (dropout)", "a rate of 1")]
    [TestCase("""{"type":"batchNormalization","epsilon":0},""", "tower 1, layer 1", "an epsilon of 0")]
    [TestCase("""{"type":"batchNormalization","epsilon":1e999},""", "tower 1, layer 1", "epsilon")]
    [TestCase("""{"type":"filterResponseNormalization","epsilon":-1},""", "tower 1, layer 1", "an epsilon of -1")]
    [TestCase("""{"type":"lrn","window":0},""", "tower 1, layer 1 (lrn)", "a window of 0")]
    [TestCase("""{"type":"lrn","kappa":0},""", "tower 1, layer 1 (lrn)", "unitVector")]
    [TestCase("""{"type":"convolution","out":99999999999},""", "tower 1, layer 1", "convolution")]
    [TestCase("""{"type":"convolution","out":65536,"kernel":32},{"type":"convolution","out":65536,"kernel":1},""", "tower 1, layer 2", "too large")]
    [TestCase("""{"type":"convolution","out":65536,"padding":1},""", "tower 1, layer 1", "a map of 32 x 32 x 65536")]
    [TestCase("""{"type":"convolution","out":1,"kernel":2147483647,"padding":2147483646},""", "tower 1, layer 1", "a kernel of 2147483647")]
    public void LayersThatDoNotFitAreNamed(string layers, params string[] words) => Refused(Described(layers + Vector), words);

    [TestCase("""{"type":"linear","out":8}""", "", "tower 1 ends in linear", "unitVector", "unitVectors to false")]
    [TestCase(Vector, ""","input":{"side":48}""", "side is 48", "32 or 64")]
    [TestCase(Vector, ""","input":{"channels":3}""", "3 channels")]
    [TestCase(Vector, ""","input":{"channels":2}""", "2 channels", "score")]
    [TestCase(Vector, ""","input":{"width":32}""", "the input", "width")]
    [TestCase(Vector, ""","input":{"side":"32"}""", "the input")]
    [TestCase(Vector, ""","input":7""", "the input")]
    [TestCase(Vector, ""","input":{"normalization":"unit"}""", "the input")]
    [TestCase(Vector, ""","input":{"normalization":"fixed","deviation":0}""", "deviation is 0")]
    [TestCase(Vector, ""","input":{"meanImage":true}""", "mean image", "fixed or l2Net")]
    [TestCase(Vector, ""","head":{"kind":"score"}""", "one number", "2048 values")]
    [TestCase(Vector, ""","head":{"kind":"score","layers":[{"type":"linear","out":2}]}""", "one number", "2 values", "one output")]
    [TestCase(Vector, ""","head":{"kind":"score","layers":[{"type":"relu"},{"type":"linear"}]}""", "the head, layer 2 (linear)", "0 output values")]
    [TestCase(Vector, ""","head":{"kind":"score","layers":[{"type":"bilinear"}]}""", "the head, layer 1", "'bilinear'")]
    [TestCase(Vector, ""","head":{"kind":"score","layers":{"type":"linear"}}""", "the head's layers must be a list")]
    [TestCase(Vector, ""","head":{"layers":[{"type":"linear","out":1}]}""", "a head of descriptors has no layers")]
    [TestCase(Vector, ""","head":{"kind":"distance"}""", "the head")]
    [TestCase(Vector, ""","head":[]""", "the head must be an object")]
    [TestCase("""{"type":"linear","out":12},{"type":"unitVector"}""", ""","head":{"comparison":"hamming"}""", "12", "multiple of 8")]
    [TestCase(Vector, ""","layers":[]""", "'layers'", "name, about, input, towers, head")]
    [TestCase(Vector, ""","about":3""", "about must be a text")]
    public void NetworksThatDoNotFitAreExplained(string layers, string members, params string[] words) => Refused(Described(layers, members), words);

    [TestCase("""{"towers":[{"layers":[{"type":"unitVector"}]}]}""", "no name")]
    [TestCase("""{"name":"a","name":"b","towers":[{"layers":[{"type":"unitVector"}]}]}""", "name")]
    [TestCase("""{"name":"a"}""", "towers must be a list")]
    [TestCase("""{"name":"a","towers":[]}""", "at least one tower")]
    [TestCase("""{"name":"a","towers":[{"layers":[]}]}""", "tower 1", "a list of layers")]
    [TestCase("""{"name":"a","towers":[{"layers":[{"type":"unitVector"}]},5]}""", "tower 2")]
    [TestCase("""{"name":"a","towers":[{"view":"centre","layers":[{"type":"unitVector"}]}]}""", "tower 1", "'centre'", "side 64", "whole")]
    [TestCase("""{"name":"a","towers":[{"view":"left","layers":[{"type":"unitVector"}]}]}""", "tower 1")]
    [TestCase("""{"name":"a","towers":[{"scale":2,"layers":[{"type":"unitVector"}]}]}""", "tower 1", "scale")]
    [TestCase("""{"name":"a","towers":[{"trained":false,"layers":[{"type":"unitVector"}]}]}""", "no tower is trained")]
    [TestCase("[]", "an object")]
    [TestCase("null", "an object")]
    [TestCase("", "no network")]
    [TestCase("{", "no network")]
    [TestCase("\"hardnet\"", "an object")]
    public void TextThatIsNoNetworkIsExplained(string json, params string[] words) => Refused(json, words);

    [Test]
    public void DeepNestingIsRefused()
    {
        string deep = new string('[', 50_000) + new string(']', 50_000);
        Refused(deep);
        Refused(Described($$"""{"type":"relu","deep":{{new string('[', 55) + new string(']', 55)}}},""" + Vector), "tower 1, layer 1", "relu");
    }

    [Test]
    public void UnknownNamesAreAnsweredWithTheList() => Assert.That(
        () => NetworkFile.Find("siftnet"), Throws.ArgumentException.With.Message.Contains("'siftnet'").And.Message.Contains("hardnet").And.Message.Contains("matchnet"));

    [Test]
    public void FilesAreNamedInErrors()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["bad.json"], Described("""{"type":"relux"},""" + Vector));
        Assert.That(() => NetworkFile.Read(folder["bad.json"]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(folder["bad.json"]).And.Message.Contains("relux"));
        Assert.That(() => NetworkFile.Read(folder["none.json"]), Throws.TypeOf<FileNotFoundException>());
    }

    private static string Described(string layers, string members = "") => $$"""{"name":"t","towers":[{"layers":[{{layers}}]}]{{members}}}""";

    private static void Refused(string json, params string[] words)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => NetworkFile.Parse(json, "a.json"))!;
        Assert.That(error.Message, Does.StartWith("a.json: "));
        Assert.That(error.Message, Does.Not.Contain("System."), "names of types of .NET");
        Assert.That(error.Message, Does.Not.Contain("Path:"));
        foreach (string word in words)
        {
            Assert.That(error.Message, Does.Contain(word));
        }
    }
}
