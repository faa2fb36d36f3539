using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>Networks of one's own that hold every kind of layer, in two towers of which one is frozen: trained, resumed, described with, and
/// exported.</summary>
public sealed class OwnNetworkTests
{
    private const int Steps = 5;

    private static readonly Network TwoTowers = NetworkFile.Parse(
        """
        {
          "name": "two towers",
          "input": { "side": 64, "normalization": "l2Net" },
          "towers": [
            { "view": "reduced", "trained": false, "layers": [
              { "type": "convolution", "out": 6, "kernel": 5, "stride": 2, "padding": 2, "bias": true }, { "type": "batchNormalization" }, { "type": "relu" },
              { "type": "pooling", "kind": "average", "kernel": 3, "stride": 2, "padding": 1, "roundUp": true },
              { "type": "lrn", "window": 3, "alpha": 0.5 }, { "type": "dropout", "rate": 0.5 }, { "type": "tanh" },
              { "type": "linear", "out": 10 }, { "type": "batchNormalization", "learned": true }, { "type": "unitVector" } ] },
            { "view": "centre", "layers": [
              { "type": "convolution", "out": 5, "kernel": 4, "stride": 2 }, { "type": "filterResponseNormalization" }, { "type": "pixelScale" },
              { "type": "pooling", "kind": "max", "kernel": 2, "stride": 2, "roundUp": true }, { "type": "subtractiveNormalization", "kernel": 3 },
              { "type": "batchNormalization", "learned": true }, { "type": "dropout", "rate": 0.2 },
              { "type": "convolution", "out": 7, "kernel": 3, "bias": true }, { "type": "tanh" },
              { "type": "pooling", "kind": "l2", "kernel": 4, "stride": 3, "padding": 1 }, { "type": "dropout", "rate": 0.3 },
              { "type": "linear", "out": 9, "bias": false }, { "type": "batchNormalization" }, { "type": "unitVector" } ] } ]
        }
        """,
        "two towers");

    private static readonly Network OfAnyLength = NetworkFile.Parse(
        """
        {
          "name": "of any length",
          "input": { "side": 32, "normalization": "fixed", "mean": 3.5, "deviation": 70, "meanImage": true },
          "towers": [ { "layers": [
            { "type": "pooling", "kind": "average", "kernel": 3, "stride": 3, "roundUp": true },
            { "type": "convolution", "out": 3, "kernel": 4, "padding": 3, "bias": true }, { "type": "relu" },
            { "type": "filterResponseNormalization", "threshold": false }, { "type": "unitVector" }, { "type": "linear", "out": 16 }, { "type": "tanh" } ] },
            { "layers": [ { "type": "convolution", "out": 8, "kernel": 32 } ] } ],
          "head": { "unitVectors": false, "comparison": "cosine" }
        }
        """,
        "of any length");

    // A plain chain of convolutions of sizes that L2-Net does not have: the devices' plans take it.
    private static readonly Network OddConvolutions = NetworkFile.Parse(
        """
        {
          "name": "odd convolutions",
          "towers": [ { "layers": [
            { "type": "convolution", "out": 7, "kernel": 6, "stride": 3, "padding": 2 }, { "type": "batchNormalization" },
            { "type": "convolution", "out": 10, "kernel": 2, "padding": 1, "bias": true }, { "type": "relu" },
            { "type": "dropout", "rate": 0.1 }, { "type": "linear", "out": 24 }, { "type": "batchNormalization", "learned": true },
                { "type": "unitVector" } ] } ]
        }
        """,
        "odd convolutions");

    private static readonly PatchSet Data = TrainedModels.Data(24);

    private static readonly Dictionary<string, Lazy<byte[]>> Models = new[] { TwoTowers, OfAnyLength, OddConvolutions }.ToDictionary(
        network => network.Name, network => new Lazy<byte[]>(() => TrainOnCpu(network)));

    private static IEnumerable<string> Names => Models.Keys;

    [Test]
    public void AStoppedTrainingEndsWithTheBytesOfAnUndisturbedOne([ValueSource(nameof(Names))] string name)
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu", threads: 1);
        string resumed = TrainedModels.Train(device, Options(name), Data, folder.Path, stopAfter: 3, Initial(name)).Model;
        Assert.That(File.ReadAllBytes(resumed), Is.EqualTo(Models[name].Value));
    }

    [Test]
    [Category("Cuda")]
    public void AStoppedTrainingOnCudaEndsWithTheBytesOfAnUndisturbedOne([ValueSource(nameof(Names))] string name)
    {
        CudaDriver.Require();
        using TemporaryFolder whole = new(), parts = new();
        using Device device = Device.Open("cuda");
        string model = TrainedModels.Train(device, Options(name), Data, whole.Path, null, Initial(name)).Model;
        string resumed = TrainedModels.Train(device, Options(name), Data, parts.Path, stopAfter: 3, Initial(name)).Model;
        Assert.That(File.ReadAllBytes(resumed), Same.As(File.ReadAllBytes(model)));

        // The same batches and masks as on the CPU: only rounding differs, which Adam makes large where a gradient is near 0.
        ModelFile onCuda = ModelFile.Read(model), onCpu = Read(name);
        float[] moved = [.. All(onCpu.Weights)], there = [.. All(onCuda.Weights)], start = [.. All(NetworkWeights.Initialize(onCpu.Network, 1))];
        double movement = moved.Zip(start, (a, b) => Math.Abs(a - b)).Average();
        Assert.That(movement, Is.GreaterThan(1e-3), "training has moved weights");
        Assert.That(there.Zip(moved, (a, b) => Math.Abs(a - b)).Average(), Is.LessThan(0.02 * movement));
    }

    [Test]
    public void FrozenTowersStayAsTheyWere()
    {
        ModelFile initial = Initial(TwoTowers.Name)!, trained = Read(TwoTowers.Name);
        Assert.That(All(trained.Weights.Towers[0].Layers), Is.EqualTo(All(initial.Weights.Towers[0].Layers)));
        Assert.That(All(trained.Weights.Towers[1].Layers), Is.Not.EqualTo(All(initial.Weights.Towers[1].Layers)));
        Assert.That(trained.Network.IsSameAs(TwoTowers));
    }

    [TestCase("cpu")]
    [TestCase("cuda")]
    public void DescriptorsAreThoseOfTheLayersInDoublePrecisionAndOfTheExportedModel(string kind)
    {
        using Device device = Open(kind);
        foreach (string name in Names)
        {
            ModelFile file = Read(name);
            using var model = new PatchModel(file, device);
            int side = model.PatchSide, area = side * side;
            byte[] patches = [.. (side == 64 ? Data.Large! : Data.Pixels).AsSpan(0, 3 * area), .. Enumerable.Repeat((byte)77, area)];
            float[] described = model.Describe(patches, side);
            double[] plain = [.. patches.Chunk(area).SelectMany(patch => PlainNetwork.Describe(file, patch))];
            Assert.That(described, Has.Length.EqualTo(plain.Length));
            Assert.That(described, Is.EqualTo(plain).Within(2e-5), $"{name}, by layers");
            Assert.That(plain.Zip(plain.Skip(model.Dimension), (a, b) => Math.Abs(a - b)).Max(), Is.GreaterThan(0.05), "patches differ");
            using var folder = new TemporaryFolder();
            OnnxExporter.Write(folder["m.onnx"], file);
            Assert.That(TrainedModels.RunOnnx(folder["m.onnx"], side, ("patches", patches)), Is.EqualTo(described).Within(1e-4), $"{name}, by ONNX Runtime");
        }
    }

    [Test]
    public void ADescriptorHasTheSameBitsInEveryBatchAndForAllNumbersOfThreads([ValueSource(nameof(Names))] string name)
    {
        ModelFile file = Read(name);
        int side = file.Network.Input.Side, area = side * side;
        byte[] patches = Repeated(side, 200);
        float[]? expected = null;
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using Device device = Device.Open("cpu", threads);
            using var model = new PatchModel(file, device);
            float[] all = model.Describe(patches, side);
            expected ??= all;
            Assert.That(all, Is.EqualTo(expected), $"{threads} threads");
            foreach (int count in threads == 2 ? new[] { 1, 7, 64 } : [1])
            {
                Assert.That(model.Describe(patches.AsSpan(0, count * area), side), Is.EqualTo(expected[..(count * model.Dimension)]), $"{count} patches");
            }

            Assert.That(model.Describe(patches.AsSpan(133 * area, area), side), Is.EqualTo(expected.AsSpan(133 * model.Dimension, model.Dimension).ToArray()));
        }
    }

    [Test]
    [Category("Cuda")]
    public void ADescriptorHasTheSameBitsInABatchOnCuda([ValueSource(nameof(Names))] string name)
    {
        CudaDriver.Require();
        ModelFile file = Read(name);
        int side = file.Network.Input.Side, area = side * side;
        using Device device = Device.Open("cuda");
        using var model = new PatchModel(file, device);
        byte[] patches = Repeated(side, 20);
        float[] all = model.Describe(patches, side);
        foreach (int row in new[] { 0, 13, 19 })
        {
            Assert.That(model.Describe(patches.AsSpan(row * area, area), side), Is.EqualTo(all.AsSpan(row * model.Dimension, model.Dimension).ToArray()), $"patch {row}");
        }
    }

    [Test]
    public void CosineMakesWholeDescriptorsUnitVectors()
    {
        using Device device = Device.Open("cpu");
        using var model = new PatchModel(Read(OfAnyLength.Name), device);
        float[] descriptor = model.Describe(Data[0], 32);
        Assert.That(descriptor.Sum(value => (double)value * value), Is.EqualTo(1).Within(1e-5));
        Assert.That(model.Describe(Data)[..24], Is.EqualTo(descriptor));
        Assert.That(model.DescribeBinary(Data[0], 32), Is.EqualTo(PatchModel.Binarize(descriptor)));
    }

    private static byte[] Repeated(int side, int count)
    {
        byte[] source = side == 64 ? Data.Large! : Data.Pixels;
        int area = side * side, patches = source.Length / area;
        return [.. Enumerable.Range(0, count).SelectMany(i => source.AsSpan(i % patches * area, area).ToArray())];
    }

    private static TrainingOptions Options(string name) =>
        TrainedModels.Options(name == TwoTowers.Name ? TwoTowers : name == OfAnyLength.Name ? OfAnyLength : OddConvolutions, Steps);

    // A frozen tower comes from a model.
    private static ModelFile? Initial(string name) => name == TwoTowers.Name ? ModelFile.Untrained(TwoTowers, 5) : null;

    private static byte[] TrainOnCpu(Network network)
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        return File.ReadAllBytes(TrainedModels.Train(device, Options(network.Name), Data, folder.Path, null, Initial(network.Name)).Model);
    }

    private static ModelFile Read(string name) => ModelFile.Read(new MemoryStream(Models[name].Value), name);

    private static Device Open(string kind)
    {
        if (kind == "cuda")
        {
            CudaDriver.Require();
        }

        return Device.Open(kind);
    }

    private static IEnumerable<float> All(NetworkWeights weights) => weights.Towers.SelectMany(tower => All(tower.Layers)).Concat(All(weights.Head));

    private static IEnumerable<float> All(IEnumerable<LayerWeights> layers) =>
        layers.SelectMany(layer => layer.Names.Order(StringComparer.Ordinal).SelectMany(name => layer[name]));
}
