using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>Networks that score pairs: both patches as channels, or both patches' features before the head.</summary>
public sealed class PairNetworkTests
{
    private static readonly Network AsChannels = NetworkFile.Parse(
        """
        {
          "name": "as channels",
          "input": { "side": 64, "channels": 2, "normalization": "centred", "deviation": 100 },
          "towers": [
            { "view": "reduced", "layers": [
              { "type": "convolution", "out": 8, "kernel": 5, "stride": 3 }, { "type": "batchNormalization", "learned": true }, { "type": "relu" },
              { "type": "pooling", "kind": "max", "kernel": 2, "stride": 2 } ] },
            { "view": "centre", "layers": [
              { "type": "convolution", "out": 6, "kernel": 5, "stride": 4, "bias": true }, { "type": "tanh" }, { "type": "dropout", "rate": 0.1 } ] } ],
          "head": { "kind": "score", "layers": [
            { "type": "linear", "out": 12 }, { "type": "batchNormalization" }, { "type": "relu" }, { "type": "linear", "out": 1 } ] }
        }
        """,
        "as channels");

    private static readonly Network AsFeatures = NetworkFile.Parse(
        """
        {
          "name": "as features",
          "input": { "side": 32, "normalization": "fixed", "mean": 128, "deviation": 60 },
          "towers": [ { "layers": [
            { "type": "convolution", "out": 6, "kernel": 7, "stride": 4, "bias": true }, { "type": "batchNormalization" }, { "type": "relu" },
            { "type": "pooling", "kind": "average", "kernel": 3, "stride": 2, "roundUp": true } ] } ],
          "head": { "kind": "score", "layers": [
            { "type": "linear", "out": 20 }, { "type": "relu" }, { "type": "dropout", "rate": 0.1 }, { "type": "linear", "out": 1 } ] }
        }
        """,
        "as features");

    private static readonly PatchSet Data = TrainedModels.Data(24);

    private static IEnumerable<Network> Own => [AsChannels, AsFeatures];

    private static IEnumerable<string> OfTheLibrary => NetworkFile.Names.Where(name => NetworkFile.Find(name).ScoresPairs);

    [Test]
    public void TheLossFallsAndAStoppedTrainingEndsWithTheSameBytes(
        [Values("cpu", "cuda")] string kind, [Values("as channels", "as features")] string name, [Values] ScoreLoss form)
    {
        using Device device = Open(kind);
        Network network = Own.Single(own => own.Name == name);
        using TemporaryFolder whole = new(), parts = new();
        TrainingOptions options = Options(network, 40, form, 2e-2f);
        (string model, List<float> losses) = TrainedModels.Train(device, options, Data, whole.Path);
        Assert.That(losses[^6..].Average(), Is.LessThan(0.85f * losses[..3].Average()), string.Join(' ', losses));
        string resumed = TrainedModels.Train(device, options, Data, parts.Path, stopAfter: 11).Model;
        Assert.That(File.ReadAllBytes(resumed), Same.As(File.ReadAllBytes(model)));
        if (kind == "cpu")
        {
            ScoresAreThoseOfTheLayers(ModelFile.Read(model), device, Data.Count, inDouble: 3);
        }
    }

    [TestCaseSource(nameof(OfTheLibrary))]
    public void NetworksOfTheLibraryTakeStepsAndScore(string name)
    {
        Network network = NetworkFile.Find(name);
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        TrainingOptions options = Options(network, 2, network.Name == "matchnet" ? ScoreLoss.CrossEntropy : ScoreLoss.Hinge) with { Batch = 2 };
        string model = TrainedModels.Train(device, options, Data, folder.Path).Model;
        ScoresAreThoseOfTheLayers(ModelFile.Read(model), device, 2, inDouble: 1);
    }

    [Test]
    [Category("Cuda")]
    public void CudaScoresLikeTheCpu()
    {
        CudaDriver.Require();
        using Device cpu = Device.Open("cpu"), cuda = Device.Open("cuda");
        foreach (Network network in Own)
        {
            var file = ModelFile.Untrained(network, 3);
            using PatchModel onCpu = new(file, cpu), onCuda = new(file, cuda);
            int[] first = [0, 1, 2, 3, 4], second = [9, 8, 7, 6, 5];
            float[] scores = onCuda.Score(Data, first, second);
            Assert.That(scores, Is.EqualTo(onCpu.Score(Data, first, second)).Within(1e-5f));
            Assert.That(onCuda.Score(Data, [3], [6]), Is.EqualTo(new[] { scores[3] }));
        }
    }

    [Test]
    public void AScoreHasTheSameBitsInEveryBatch()
    {
        foreach (Network network in Own)
        {
            float[]? expected = null;
            int[] first = [.. Enumerable.Range(0, 150).Select(i => i % Data.Count)], second = [.. first.Select(i => (i * 7) % Data.Count)];
            foreach (int threads in new[] { 1, 3 })
            {
                using Device device = Device.Open("cpu", threads);
                using PatchModel model = PatchModel.CreateRandom(network, 2, device);
                float[] scores = model.Score(Data, first, second);
                expected ??= scores;
                Assert.That(scores, Is.EqualTo(expected));
                Assert.That(model.Score(Data, first.AsSpan(131, 1), second.AsSpan(131, 1)), Is.EqualTo(expected[131..132]));
                Assert.That(model.Score(Data, first.AsSpan(0, 20), second.AsSpan(0, 20)), Is.EqualTo(expected[..20]));
            }
        }
    }

    [Test]
    public void PairNetworksAndDescribersAreNotTakenForOneAnother()
    {
        using Device device = Device.Open("cpu");
        using PatchModel pairs = PatchModel.CreateRandom(AsFeatures, 1, device), describes = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        Assert.That((pairs.ScoresPairs, pairs.Dimension, describes.ScoresPairs), Is.EqualTo((true, 0, false)));
        Assert.That(() => pairs.Describe(Data[0], 32), Throws.InvalidOperationException.With.Message.Contains("as features").And.Message.Contains("Score"));
        Assert.That(() => pairs.DescribeBinary(Data[0], 32), Throws.InvalidOperationException);
        Assert.That(() => pairs.Describe(Data), Throws.InvalidOperationException);
        Assert.That(() => describes.Score(Data[0], Data[1], 32), Throws.InvalidOperationException.With.Message.Contains("Describe"));
        Assert.That(() => describes.Score(Data, [0], [1]), Throws.InvalidOperationException);
        Assert.That(() => pairs.Score(Data[0], new byte[2048], 32), Throws.ArgumentException.With.Message.Contains("1 first").And.Message.Contains("2 second"));
        Assert.That(() => pairs.Score(Data, [0, 1], [1]), Throws.ArgumentException);
        pairs.Dispose();
        Assert.That(() => pairs.Score(Data[0], Data[1], 32), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void LossAndNetworkMustSuitEachOther()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        Assert.That(() => new Trainer(TrainedModels.Options(AsFeatures, 1), Data, null, device, folder.Path),
            Throws.ArgumentException.With.Message.Contains("loss.family=pairScore"));
        Assert.That(() => new Trainer(Options(TestNetworks.L2Net, 1, ScoreLoss.Hinge), Data, null, device, folder.Path),
            Throws.ArgumentException.With.Message.Contains("gives descriptors"));
    }

    [Test]
    public void MatchesAndOthersAreNormalizedTogether()
    {
        // Half of a batch are pairs that match: statistics of each half would tell which. With statistics of the whole batch the last normalization makes
        // scores whose mean over matches and others together is 0, and over the matches alone is not.
        Network network = NetworkFile.Parse(
            """
            { "name": "n", "towers": [ { "layers": [ { "type": "linear", "out": 4 }, { "type": "tanh" } ] } ],
              "head": { "kind": "score", "layers": [
                { "type": "linear", "out": 9 }, { "type": "tanh" }, { "type": "linear", "out": 1 }, { "type": "batchNormalization" } ] } }
            """,
            "n");
        using Device device = Device.Open("cpu");
        var shaped = ShapedNetwork.Of(network);
        using var trained = new TrainedNetwork(device, shaped, NetworkWeights.Initialize(network, 1));
        using var tape = new Tape(device);
        using Tensor<byte> patches = device.Upload<byte>(Data.Pixels, Data.Count, 32, 32);
        using Tensor<int> indices = device.Upload<int>([0, 2, 4, 6, 1, 3, 5, 7]);
        using Tensor<StepParameters> step = device.Allocate<StepParameters>(1);
        Variable input = tape.GatherPatches(patches, indices, step, new GatherOptions(PatchNormalization.PerPatch, PatchAugmentation.None, 1), null, 8);
        RecordedNetwork recorded = trained.Record(tape, _ => input, Options(network, 1, ScoreLoss.Hinge), step, []);
        tape.Forward();
        float[] scores = recorded.Scores!.Value.ToArray();
        Assert.That(scores.Average(), Is.EqualTo(0).Within(1e-5));
        Assert.That(Math.Abs(scores[..4].Average()), Is.GreaterThan(1e-3));
    }

    private static TrainingOptions Options(Network network, int steps, ScoreLoss form, float rate = 1e-3f) =>
        TrainedModels.Options(network, steps, new LossOptions { Family = LossFamily.PairScore, Score = form }, rate);

    private static void ScoresAreThoseOfTheLayers(ModelFile file, Device device, int pairs, int inDouble)
    {
        using var model = new PatchModel(file, device);
        int side = model.PatchSide, area = side * side;
        byte[] source = side == 64 ? Data.Large! : Data.Pixels, first = source[..(pairs * area)];
        byte[] second = source[((Data.Count - pairs) * area)..];
        float[] scores = model.Score(first, second, side);
        double[] plain = [.. first.Chunk(area).Zip(second.Chunk(area), (a, b) => PlainNetwork.Score(file, a, b)).Take(inDouble)];
        double scale = Math.Max(1, plain.Max(Math.Abs));
        Assert.That(scores[..inDouble], Is.EqualTo(plain).Within(2e-5 * scale));
        int[] rows = [.. Enumerable.Range(0, pairs)];
        Assert.That(model.Score(Data, rows, [.. rows.Select(row => Data.Count - pairs + row)]), Is.EqualTo(scores), "a set's patches");
        Assert.That(scores.Distinct().Count(), Is.GreaterThan(1));
        using var folder = new TemporaryFolder();
        OnnxExporter.Write(folder["m.onnx"], file);
        Assert.That(TrainedModels.RunOnnx(folder["m.onnx"], side, ("first", first), ("second", second)), Is.EqualTo(scores).Within(1e-4 * scale),
            "ONNX Runtime");
    }

    private static Device Open(string kind)
    {
        if (kind == "cuda")
        {
            CudaDriver.Require();
        }

        return Device.Open(kind);
    }
}
