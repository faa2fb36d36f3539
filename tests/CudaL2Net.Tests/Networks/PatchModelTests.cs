using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Tests.Training;

namespace CudaL2Net.Tests.Networks;

public sealed class PatchModelTests
{
    private static readonly byte[] Patches = TrainingData.Blobs(37, views: 1).Pixels;

    [Test]
    public void InferenceAgreesWithTheSameLayersOnTheTape()
    {
        using Device device = Device.Open("cpu");
        ModelFile file = RandomStatistics(ModelFile.Untrained(
            L2NetTower.Network(false, PatchNormalization.PerPatch, true, 1e-5f, [true, false, true, false, true, false, true], 0), 3));
        using var model = new PatchModel(file, device);
        float[] described = model.Describe(Patches, 32);

        using var tape = new Tape(device);
        using Tensor<byte> patches = device.Upload<byte>(Patches, 37, 32, 32);
        using Tensor<int> indices = device.Upload<int>([.. Enumerable.Range(0, 37), 0]);
        using Tensor<StepParameters> step = device.Allocate<StepParameters>(1);
        Variable input = tape.GatherPatches(patches, indices, step, new GatherOptions(PatchNormalization.PerPatch, PatchAugmentation.None, 1), null, 38);
        var folded = FoldedTower.Of(ShapedNetwork.Of(file.Network).Towers[0], file.Weights.Towers[0].Layers);
        Variable unit = new LayerRecorder(tape, new FoldedStore(folded)).Record(folded.Chain, input, [], new Dictionary<int, Variable>());
        tape.Forward();
        float[] recorded = unit.Value.ToArray();
        for (int i = 0; i < described.Length; i++)
        {
            Assert.That(described[i], Is.EqualTo(recorded[i]).Within(1e-5f));
        }
    }

    [Test]
    [Category("Cuda")]
    public void CudaDescribesLikeTheCpu([Values] bool centreSurround)
    {
        CudaDriver.Require();
        int side = centreSurround ? 64 : 32;
        ModelFile file = RandomStatistics(ModelFile.Untrained(TestNetworks.Of(centreSurround), 1));
        ReadOnlySpan<byte> patches = Patches.AsSpan(0, 3 * side * side);
        using Device cpu = Device.Open("cpu"), cuda = Device.Open("cuda");
        using PatchModel onCpu = new(file, cpu), onCuda = new(file, cuda);
        Assert.That(onCuda.Describe(patches, side), Is.EqualTo(onCpu.Describe(patches, side)).Within(1e-5f));
    }

    // One pooling window over the whole patch gives a number that can be computed by hand.
    [TestCase(PatchNormalization.Fixed, "average")]
    [TestCase(PatchNormalization.Centred, "l2")]
    public void TheInputsMeanAndDeviationCountWhenDescribing(PatchNormalization normalization, string kind)
    {
        Network network = NetworkFile.Parse(
            $$"""
            { "name": "pool", "input": { "normalization": "{{normalization}}", "mean": 100, "deviation": 160 },
              "towers": [{ "layers": [{ "type": "pooling", "kind": "{{kind}}", "kernel": 32, "stride": 32 }] }], "head": { "unitVectors": false } }
            """,
            "test");
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(network, 1, device);
        double[] pixels = [.. Patches.Take(PatchSet.Area).Select(pixel => (double)pixel)];
        double mean = pixels.Average();
        double expected = kind == "average" ? (mean - 100) / 160 : Math.Sqrt(pixels.Sum(pixel => (pixel - mean) * (pixel - mean))) / 160;
        Assert.That(model.Describe(Patches.AsSpan(0, PatchSet.Area), 32)[0], Is.EqualTo(expected).Within(1e-4));
    }

    [Test]
    public void ManyPatchesAreDescribedLikeEachAlone()
    {
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        byte[] many = [.. Enumerable.Range(0, 600).SelectMany(i => Patches.AsSpan(i % 37 * PatchSet.Area, PatchSet.Area).ToArray())];
        float[] all = model.Describe(many, 32);
        Assert.That(all[(599 * 128)..], Is.EqualTo(model.Describe(Patches.AsSpan(599 % 37 * PatchSet.Area, PatchSet.Area), 32)).Within(1e-6f));
    }

    [Test]
    public void AFlatPatchHasAFiniteDescriptor()
    {
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        Assert.That(model.Describe(new byte[PatchSet.Area], 32), Has.All.Matches<float>(float.IsFinite));
    }

    [Test]
    public void CentreSurroundIsTwoUnitVectorsOfReducedPatchAndCentre()
    {
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(TestNetworks.CentreSurround, 1, device);
        var patch = new byte[64 * 64];
        for (int i = 0; i < patch.Length; i++)
        {
            patch[i] = Patches[i];
        }

        float[] both = model.Describe(patch, 64);
        Assert.That(both, Has.Length.EqualTo(256));
        Assert.That(both[..128].Sum(v => v * v), Is.EqualTo(1).Within(1e-5));
        Assert.That(both[128..].Sum(v => v * v), Is.EqualTo(1).Within(1e-5));
        var centre = new byte[PatchSet.Area];
        PatchResize.CropCentre(patch, 64, centre);
        using var right = new PatchModel(new ModelFile(TestNetworks.L2Net, new NetworkWeights([model.File.Weights.Towers[1]], []), 10, new Dictionary<string, string>()), device);
        Assert.That(both[128..], Is.EqualTo(right.Describe(centre, 32)).Within(1e-6f));
        Assert.That(() => model.Describe(Patches, 32), Throws.ArgumentException.With.Message.Contains("64 x 64"));
    }

    [Test]
    public void BitsAreTheSignsOfTheDescriptor()
    {
        byte[] bits = PatchModel.Binarize([1, 0, -1, 2, 3, -4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1e-9f]);
        Assert.That(bits, Is.EqualTo(new byte[] { 0b0001_1001, 0b1000_0000 }));
    }

    [TestCase(31)]
    [TestCase(128)]
    public void OtherSidesAreRefused(int side)
    {
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        Assert.That(() => model.Describe(new byte[side * side], side), Throws.ArgumentException.With.Message.Contains("32 x 32"));
    }

    [TestCase(false, 0f)]
    [TestCase(true, 2e-3f)]
    public void AModelFileGivesTheSameDescriptors(bool half, float tolerance)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"model-{Guid.NewGuid():N}.safetensors");
        using Device device = Device.Open("cpu");
        using var model = PatchModel.CreateRandom(TestNetworks.L2Net, 5, device);
        try
        {
            model.File.Write(path, half);
            using var read = PatchModel.Load(path, device);
            Assert.That(read.Describe(Patches, 32), Is.EqualTo(model.Describe(Patches, 32)).Within(tolerance));
            Assert.That((read.PatchScale, read.Metadata["preset"]), Is.EqualTo((10.0, "untrained")));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void FiltersAreOrthogonalWithGain()
    {
        float[] filters = NetworkWeights.Initialize(TestNetworks.L2Net, 1).Towers[0].Layers[3]["filters"];
        double Dot(int a, int b) => Enumerable.Range(0, 288).Sum(k => (double)filters[(a * 288) + k] * filters[(b * 288) + k]);
        Assert.That(Dot(3, 3), Is.EqualTo(0.36).Within(1e-6));
        Assert.That(Dot(3, 17), Is.EqualTo(0).Within(1e-6));
    }

    private static ModelFile RandomStatistics(ModelFile model)
    {
        var random = new Random(1);
        (string Tensor, float Low, float High)[] ranges =
        [
            ("bias", -0.1f, 0.1f), ("scale", 0.5f, 1.5f), ("shift", -0.2f, 0.2f), ("running_mean", -0.1f, 0.1f), ("running_variance", 0.3f, 0.8f),
        ];
        return ranges.Aggregate(model, (changed, range) => TestNetworks.Map(
            changed, range.Tensor, values => [.. values.Select(_ => range.Low + ((range.High - range.Low) * random.NextSingle()))]));
    }
}
