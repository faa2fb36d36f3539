using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Training;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>Model files and settings from before networks were described: they are read for ever.</summary>
public sealed class OldFilesTests
{
    /// <summary>Every 16th value of the descriptors of five patches, as the version before gave them for the model in the box.</summary>
    private static readonly float[][] Golden =
    [
        [0.1229096f, 0.12404f, 0.1106089f, -0.05620445f, 0.04887153f, -0.009571209f, -0.05456979f, 0.02236631f],
        [0.03988678f, 0.1368523f, -0.02901384f, 0.05536592f, -0.03203169f, -0.04048757f, -0.07352275f, 0.0536052f],
        [0.05809101f, 0.160375f, -0.08400503f, 0.07880215f, -0.0410232f, -0.04772181f, -0.1296269f, -0.02516374f],
        [0.176227f, 0.09855548f, 0.07916896f, 0.0241584f, 0.03673989f, 0.08076904f, -0.0297549f, 0.172205f],
        [-0.04016f, 0.04639137f, 0.05029499f, -0.01183687f, 0.04540304f, 0.1154629f, -0.007753751f, 0.1463489f],
    ];

    private static readonly byte[] Patches = TrainingData.Blobs(4, views: 1).Pixels;

    [Test]
    public void TheModelInTheBoxDescribesAsBefore()
    {
        // Smooth ramps, noise, and both with fewer bits.
        byte[] patches = [.. Enumerable.Range(0, Golden.Length * 1024).Select(i => (byte)(
            (((long)i * i * 7) + (i % 1024 % 32 * 13 * ((i / 1024) + 1)) + (i % 1024 / 32 * 29)) >> (i / 1024)))];
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.LoadDefault(device);
        float[] described = model.Describe(patches, 32);
        for (int p = 0; p < Golden.Length; p++)
        {
            Assert.That(Enumerable.Range(0, 8).Select(k => described[(p * 128) + (k * 16)]), Is.EqualTo(Golden[p]).Within(1e-6f), $"patch {p}");
        }
    }

    [Test]
    [Pairwise]
    public void FilesOfTheFirstFormAreRead([Values] bool centreSurround, [Values] bool bias, [Values] bool learned)
    {
        using var folder = new TemporaryFolder();
        Network network = L2NetTower.Network(centreSurround, PatchNormalization.L2Net, bias, 1e-4f,
            [learned, false, learned, learned, learned, learned, false], 0);
        ModelFile model = Model(network);
        WriteOld(folder["old.safetensors"], model, centreSurround);
        ModelFile read = ModelFile.Read(folder["old.safetensors"]);
        Assert.That(read.Network.IsSameAs(network));
        Assert.That((read.PatchScale, read.Metadata["preset"]), Is.EqualTo((12.5, "l2net")));
        model.Write(folder["new.safetensors"]);
        read.Write(folder["again.safetensors"]);
        using Device device = Device.Open("cpu");
        using PatchModel now = PatchModel.Load(folder["new.safetensors"], device), old = new(read, device),
            again = PatchModel.Load(folder["again.safetensors"], device);
        byte[] patches = centreSurround ? TrainedModels.Data(2).Large![..8192] : Patches;
        float[] expected = now.Describe(patches, now.PatchSide);
        Assert.That(old.Describe(patches, now.PatchSide), Is.EqualTo(expected));
        Assert.That(again.Describe(patches, now.PatchSide), Is.EqualTo(expected));
        Assert.That(again.Metadata.Keys, Has.None.AnyOf("architecture", "normalization", "epsilon"));
    }

    [Test]
    public void DamagedFilesOfTheFirstFormAreExplained()
    {
        using var folder = new TemporaryFolder();
        ModelFile model = Model(L2NetTower.Network(false, PatchNormalization.PerPatch, true, 1e-5f, new bool[7], 0));
        foreach ((string key, string value, string word) in new[]
        {
            ("architecture", "vgg", "'vgg'"), ("normalization", "none", "'none'"), ("epsilon", "-1", "'epsilon'"), ("patch_scale", "wide", "'patch_scale'"),
            ("format", "cudal2net-model-9", "cudal2net-model-9"),
        })
        {
            WriteOld(folder["bad.safetensors"], model, false, (key, value));
            Assert.That(() => ModelFile.Read(folder["bad.safetensors"]),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains(word).And.Message.Contains("bad.safetensors"));
        }

        WriteOld(folder["bad.safetensors"], model, false, without: "towers.0.layers.3.bias");
        Assert.That(() => ModelFile.Read(folder["bad.safetensors"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("towers.0.layers.3.bias"));
    }

    [TestCase("""{"architecture":"l2Net","normalization":"l2Net","bias":true,"epsilon":0.0001,"dropout":0,"learnedAffine":false}""", "l2net")]
    [TestCase("""{"architecture":"centreSurround","normalization":"l2Net","bias":true,"epsilon":0.0001,"dropout":0,"learnedAffine":false}""", "cs-l2net")]
    [TestCase("""{"architecture":"l2Net","normalization":"perPatch","bias":false,"epsilon":0.00001,"dropout":0.3,"learnedAffine":false}""", "hardnet")]
    public void OldSettingsBecomeTheNetworkThatTheyStoodFor(string settings, string network)
    {
        var old = JsonNode.Parse(settings)!.AsObject();
        old["preset"] = "old";
        old["batch"] = 32;
        var options = TrainingOptions.FromJson(old.ToJsonString());
        Assert.That(options.Network.IsSameAs(NetworkFile.Find(network)), NetworkFile.Write(options.Network));
        Assert.That((options.Preset, options.Batch), Is.EqualTo(("old", 32)));
        Assert.That(TrainingOptions.FromJson(options.ToJson()).ToJson(), Is.EqualTo(options.ToJson()));
    }

    [Test]
    public void OldSettingsKeepScaleAndShiftFixedBeforeE3()
    {
        const string Old =
            """{"preset":"l2net","architecture":"l2Net","normalization":"l2Net","bias":true,"learnedAffine":true,"loss":{"family":"l2Net","intermediateLayers":[1,7]}}""";
        Network network = TrainingOptions.FromJson(Old).Network;
        Assert.That(network.Towers.Single().Layers.OfType<BatchNormalization>().Select(layer => layer.Learned),
            Is.EqualTo(new[] { false, true, true, true, true, true, false }));
    }

    // Weights and statistics that all matter.
    private static ModelFile Model(Network network)
    {
        var random = new Random(4);
        var model = ModelFile.Untrained(network, 3);
        TowerWeights[] towers = [.. model.Weights.Towers.Select(tower => new TowerWeights(
            network.Input.HasMeanImage ? [.. Enumerable.Range(0, 1024).Select(_ => 128 * random.NextSingle())] : null,
            [.. tower.Layers.Select(layer => new LayerWeights(layer.Names.ToDictionary(name => name, name => name == "filters"
                ? layer[name]
                : [.. layer[name].Select(value => value + (0.4f * random.NextSingle()))])))]))];
        return new ModelFile(network, new NetworkWeights(towers, []), 12.5, new Dictionary<string, string> { ["preset"] = "l2net" });
    }

    /// <summary>Writes a model as versions before descriptions did.</summary>
    private static void WriteOld(string path, ModelFile model, bool centreSurround, (string Key, string Value)? other = null, string? without = null)
    {
        var tensors = new Dictionary<string, SafetensorsTensor>();
        for (int t = 0; t < model.Weights.Towers.Count; t++)
        {
            if (model.Weights.Towers[t].MeanImage is { } mean)
            {
                tensors[$"towers.{t}.mean_image"] = SafetensorsTensor.From<float>(mean, 32, 32);
            }

            int convolution = 0;
            foreach (ShapedLayer layer in ShapedNetwork.Of(model.Network).Towers[t].Layers)
            {
                convolution += layer.Layer is Convolution ? 1 : 0;
                foreach (LayerTensor tensor in layer.Tensors)
                {
                    tensors[$"towers.{t}.layers.{convolution}.{tensor.Name}"] =
                        SafetensorsTensor.From<float>(model.Weights.Towers[t].Layers[layer.Number - 1][tensor.Name], tensor.Shape);
                }
            }
        }

        var metadata = new Dictionary<string, string>
        {
            ["format"] = "cudal2net-model-1",
            ["architecture"] = centreSurround ? "cs-l2net" : "l2net",
            ["normalization"] = model.Network.Input.Normalization == PatchNormalization.L2Net ? "l2net" : "per-patch",
            ["epsilon"] = model.Network.Towers[0].Layers.OfType<BatchNormalization>().First().Epsilon.ToString("R",
                System.Globalization.CultureInfo.InvariantCulture),
            ["patch_scale"] = "12.5",
            ["preset"] = "l2net",
        };
        if (other is { } changed)
        {
            metadata[changed.Key] = changed.Value;
        }

        if (without is not null)
        {
            tensors.Remove(without);
        }

        SafetensorsFile.Write(path, tensors, metadata);
    }
}
