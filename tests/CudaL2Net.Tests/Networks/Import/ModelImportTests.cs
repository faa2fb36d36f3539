using System.IO.Compression;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Formats.Matlab;
using CudaL2Net.Tests.Formats.PyTorch;
using CudaL2Net.Tests.Formats.Torch7;

namespace CudaL2Net.Tests.Networks.Import;

/// <summary>Weights of others give the descriptors that PyTorch gives, in double precision (<c>tests/golden/import.py</c>).</summary>
public sealed class ModelImportTests
{
    private const double Tolerance = 1e-5;

    private const string SmallTowers =
        """
        { "name": "small", "input": { "side": 64, "normalization": "l2Net" }, "towers": [
            { "view": "reduced", "trained": false, "layers": [ { "type": "convolution", "out": 3, "kernel": 32 }, { "type": "batchNormalization" }, { "type": "unitVector" } ] },
            { "view": "centre", "layers": [ { "type": "convolution", "out": 3, "kernel": 32 }, { "type": "batchNormalization" }, { "type": "unitVector" } ] } ] }
        """;

    private const string SmallTower =
        """
        { "name": "small", "towers": [ { "layers": [
            { "type": "convolution", "out": 4, "kernel": 32 }, { "type": "batchNormalization" }, { "type": "unitVector" } ] } ] }
        """;

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void HardNetIsReadFromBothFormats([Values] bool zip, [Values] bool biases)
    {
        WriteTorch(zip, DrawnFiles.L2Net(biases ? 2000 : 1000, biases, module => $"features.{module}"), "state_dict");
        ModelFile model = ModelImport.Read(folder["m.pth"]);
        Agrees(model, biases ? "hardnet with biases" : "hardnet", "hardnet", "HardNet");
        Assert.That(model.Network.IsSameAs(NetworkFile.Find("hardnet")), Is.EqualTo(!biases));
    }

    // The modules of SOSNet's own code, and of HyNet's.
    [Test]
    public void SosNetIsToldByItsNames([Values("layers.{0}", "layer1.{0}")] string names)
    {
        WriteTorch(true, DrawnFiles.L2Net(3000, biases: false, module => string.Format(names, module + 1)));
        Agrees(ModelImport.Read(folder["m.pth"]), "sosnet", "sosnet", "SOSNet");
    }

    [Test]
    public void HyNetIsRead()
    {
        WriteTorch(true, DrawnFiles.HyNet(4000));
        Agrees(ModelImport.Read(folder["m.pth"]), "hynet", "hynet", "HyNet");
    }

    [Test]
    public void TFeatIsRead([Values] bool zip)
    {
        WriteTorch(zip, DrawnFiles.TFeat(5000));
        Agrees(ModelImport.Read(folder["m.pth"]), "tfeat", "tfeat", "TFeat");
    }

    [Test]
    public void L2NetIsReadWithOneTowerOrBoth([Values] bool compressed)
    {
        File.WriteAllBytes(folder["m.mat"], DrawnFiles.L2NetMat(compressed));
        Agrees(ModelImport.Read(folder["m.mat"]), "l2net", "l2net", "L2-Net");
        Agrees(ModelImport.Read(folder["m.mat"], NetworkFile.Find("cs-l2net")), "cs-l2net", "cs-l2net", "CS L2-Net");
    }

    [Test]
    public void TNetIsRead()
    {
        File.WriteAllBytes(folder["m.mat"], DrawnFiles.TNetMat());
        Agrees(ModelImport.Read(folder["m.mat"]), "tnet", "tnet", "TNet");
    }

    [Test]
    public void DeepDescIsRead()
    {
        File.WriteAllBytes(folder["m.t7"], DrawnFiles.DeepDescTorch7());
        ModelFile model = ModelImport.Read(folder["m.t7"]);
        Agrees(model, "deepdesc", "deepdesc", "DeepDesc");
        Assert.That(model.Network.Towers[0].Layers[0], Is.TypeOf<PixelScale>());
    }

    [Test]
    [Category("Data")]
    public void PublishedWeightsGiveTheDescriptorsOfPyTorch([Values("tfeat-liberty.params", "tgloss_liberty.mat", "deepdesc_split1_072000.t7")] string name)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("CUDAL2NET_DATA") ?? "", "weights", name);
        if (!File.Exists(path))
        {
            Assert.Ignore($"CUDAL2NET_DATA names no folder with weights/{name}");
        }

        ModelFile model = ModelImport.Read(path);
        Agrees(model, Drawn.Expected("published", name));
        Assert.That(model.Metadata["imported"], Is.EqualTo(name));
    }

    [Test]
    public void MatlabFilesOfBothFormatsGiveTheSameModel()
    {
        Network network = NetworkFile.Parse(SmallTowers, "small");
        ModelFile five = ModelImport.Read(Golden("small5.mat"), network), seven = ModelImport.Read(Golden("small73.mat"), network);
        five.Write(folder["5.safetensors"]);
        (seven with { Metadata = five.Metadata }).Write(folder["73.safetensors"]);
        Assert.That(File.ReadAllBytes(folder["73.safetensors"]), Is.EqualTo(File.ReadAllBytes(folder["5.safetensors"])));
        Assert.That(five.Weights.Towers.Select(tower => tower.MeanImage!.Average()), Is.All.InRange(110f, 130f));
        Assert.That(Describe(five, Drawn.Patches(64)), Is.EqualTo(Drawn.Patches(64).Chunk(64 * 64).SelectMany(patch => PlainNetwork.Describe(five, patch))).Within(Tolerance));
    }

    [Test]
    public void FilesThatPyTorchWroteAreRead()
    {
        Network network = NetworkFile.Parse(SmallTower, "small");
        ModelFile zip = ModelImport.Read(Golden("small.pth"), network), legacy = ModelImport.Read(Golden("small-legacy.pth"), network);
        LayerWeights convolution = zip.Weights.Towers[0].Layers[0], normalization = zip.Weights.Towers[0].Layers[1];
        var drawn = new Drawn(300);
        (float[] mean, float[] variance) = drawn.Norm(4);
        Assert.That((normalization["running_mean"], normalization["running_variance"]), Is.EqualTo((mean, variance)));
        Assert.That(convolution["filters"], Is.EqualTo(drawn.Filters(4, 1, 32)));
        Assert.That(legacy.Weights.Towers[0].Layers[0]["filters"], Is.EqualTo(convolution["filters"]));
    }

    [Test]
    public void WhatDoesNotFitIsExplained()
    {
        Network small = NetworkFile.Parse(SmallTower, "small");
        WriteTorch(true, [TorchFiles.Floats("a.weight", "0", new float[16], 4, 1, 2, 2)]);
        Refused("m.pth", null, "1 to 4", "no published network", "hardnet", "2 x 2");
        Refused("m.pth", small, "layer 1", "convolution 32 x 32 to 4", "convolution 2 x 2, 1 to 4");
        WriteTorch(true, [TorchFiles.Floats("a.weight", "0", new float[4096], 4, 1, 32, 32)]);
        Refused("m.pth", small, "layer 2", "no more layers");
        WriteTorch(true, [.. DrawnFiles.L2Net(1, false, module => $"stem.{module}")]);
        Refused("m.pth", null, "hardnet and of sosnet", "stem.0");
        WriteTorch(true, [TorchFiles.Floats("pca.components", "0", new float[4], 2, 2)]);
        Refused("m.pth", null, "pca.components", "no kind of layer");
        WriteTorch(true, DrawnFiles.TFeat(1));
        Refused("m.pth", NetworkFile.Find("matchnet"), "scores pairs");
        File.WriteAllBytes(folder["m.mat"], MatFiles.Of(false, ("x", 1.0)));
        Refused("m.mat", null, "no variable net", "x");
        File.WriteAllBytes(folder["m.mat"], MatFiles.Of(false, ("net", new Dictionary<string, object> { ["layers"] = new object[] { new Dictionary<string, object> { ["type"] = "fft" } } })));
        Refused("m.mat", null, "type fft");
        File.WriteAllBytes(folder["m.t7"], Torch7Files.Of(Torch7Files.Module("Sequential", ("modules", Torch7Files.List(Torch7Files.Module("Fancy"))))));
        Refused("m.t7", null, "nn.Fancy");
        File.WriteAllBytes(folder["m.t7"], Torch7Files.Of(Torch7Files.List("nothing")));
        Refused("m.t7", null, "nn.Sequential");
        File.WriteAllText(folder["m.txt"], "weights");
        Refused("m.txt", null, "text file", ".t7");
        ModelFile.Untrained(small, 1).Write(folder["m.safetensors"]);
        Refused("m.safetensors", null, "safetensors", "--model");
    }

    [Test]
    public void SmallFilesOfEndlessLayersAreRefused()
    {
        WriteTorch(true, [.. Enumerable.Range(0, 1001).Select(i => TorchFiles.Floats($"l{i}.weight", $"{i}", [1f], 1, 1))]);
        Refused("m.pth", null, "more than 1000 layers");
        var modules = new Dictionary<object, object?>();
        Torch7Files.Made chain = Torch7Files.Module("Sequential", ("modules", modules));
        (modules[1.0], modules[2.0]) = (chain, chain);
        File.WriteAllBytes(folder["m.t7"], Torch7Files.Of(chain));
        Refused("m.t7", null, "nn.Sequential", "two places");
    }

    [Test]
    public void AMeanImageMustBeThereAndFit()
    {
        Network small = NetworkFile.Parse(SmallTower, "small"), withMean = small with { Input = small.Input with { Normalization = PatchNormalization.L2Net } };
        Refused(Golden("small.pth"), withMean, "mean image", "has none");
        Network large = NetworkFile.Parse(SmallTowers, "small");
        Refused(Golden("small5.mat"), large with { Input = large.Input with { Normalization = PatchNormalization.PerPatch } }, "mean", "does not take");
    }

    [Test]
    public void WeightsThatAreNotFiniteAreRefused()
    {
        TorchFiles.Entry[] entries = DrawnFiles.TFeat(5000);
        entries[1] = TorchFiles.Floats("features.1.bias", "1", [.. Enumerable.Repeat(float.NaN, 32)], 32);
        WriteTorch(true, entries);
        Refused("m.pth", null, "bias", "not finite");
    }

    [TestCase(0)]
    [TestCase(-1)]
    public void AScaleMustBeAboveZero(double scale) => Assert.That(() => ModelImport.Read(Golden("small.pth"), null, scale), Throws.TypeOf<ArgumentOutOfRangeException>());

    private static string Golden(string name) => Path.Combine(Repository.Folder, "tests", "golden", name);

    private static float[] Describe(ModelFile model, byte[] patches)
    {
        using Device device = Device.Open("cpu");
        using var network = new PatchModel(model, device);
        return network.Describe(patches, network.PatchSide);
    }

    private void Agrees(ModelFile model, string golden, string network, string title)
    {
        Assert.That((model.Network.Name, model.PatchScale), Is.EqualTo((network, 10.0)));
        Assert.That(model.Metadata["published"], Does.StartWith(title + " ("));
        Assert.That(model.Metadata["imported_sha256"], Has.Length.EqualTo(64));
        Agrees(model, Drawn.Expected("made", golden));

        // What is written is read.
        model.Write(folder["m.safetensors"]);
        ModelFile read = ModelFile.Read(folder["m.safetensors"]);
        Assert.That(read.Network.IsSameAs(model.Network));
        Agrees(read, Drawn.Expected("made", golden));
    }

    private static void Agrees(ModelFile model, double[] expected)
    {
        float[] found = Describe(model, Drawn.Patches(model.Network.Input.Side));
        double largest = Math.Max(1, expected.Max(Math.Abs));
        Assert.That(found, Has.Length.EqualTo(expected.Length));
        Assert.That(found, Is.EqualTo(expected).Within(Tolerance * largest));
    }

    private void WriteTorch(bool zip, TorchFiles.Entry[] entries, string? under = null)
    {
        Func<byte[], byte[]>? nest = under is null ? null : pickle => TorchFiles.Under(under, pickle);
        if (zip)
        {
            TorchFiles.WriteZip(folder["m.pth"], entries, nest, CompressionLevel.NoCompression);
        }
        else
        {
            TorchFiles.WriteLegacy(folder["m.pth"], entries, nest);
        }
    }

    private void Refused(string file, Network? network, params string[] words)
    {
        string path = Path.IsPathRooted(file) ? file : folder[file];
        string message = Assert.Throws<InvalidDataException>(() => ModelImport.Read(path, network))!.Message;
        foreach (string word in words.Append(path))
        {
            Assert.That(message, Does.Contain(word));
        }
    }
}
