using CudaL2Net.Evaluation.Describers;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Networks.Onnx;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;
using Google.Protobuf;

namespace CudaL2Net.Tests.Imaging.Description;

public sealed class NetworkDescriberTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void AnExportedModelDescribesAsTheModelDoes([Values] bool centreSurround, [Values(64, 65)] int side)
    {
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.Of(centreSurround), 5, device);
        OnnxExporter.Write(folder["m.onnx"], model.File);
        using var describer = new OnnxDescriber("onnx", folder["m.onnx"], PatchScaling.Grey);
        Assert.That((describer.PatchSide, describer.Dimension, describer.IsBinary), Is.EqualTo((model.PatchSide, model.Dimension, false)));
        byte[] patches = Patches(3, side);
        DescriptorSet found = describer.Describe(patches, side);
        if (!centreSurround || side == 64)
        {
            Assert.That(found.Values, Is.EqualTo(model.Describe(patches, side)).Within(1e-4));
        }

        Assert.That(found.Count, Is.EqualTo(3));
        Assert.That(describer.Describe([], side).Count, Is.Zero);
        Assert.That(() => describer.Describe(new byte[100], 10), Throws.ArgumentException);
    }

    [Test]
    public void ManyThreadsShareANetworkAndItsEndInTheMiddleSaysSo()
    {
        using (Device device = Device.Open("cpu"))
        using (PatchModel model = PatchModel.CreateRandom(TestNetworks.L2Net, 5, device))
        {
            OnnxExporter.Write(folder["m.onnx"], model.File);
        }

        byte[] patches = Patches(3, 32);
        for (int round = 0; round < 5; round++)
        {
            var describer = new OnnxDescriber("onnx", folder["m.onnx"], PatchScaling.Grey, threads: 1);
            float[] expected = describer.Describe(patches, 32).Values!;
            Action work = () =>
            {
                try
                {
                    while (true)
                    {
                        Assert.That(describer.Describe(patches, 32).Values, Is.EqualTo(expected));
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            };
            Action wait = Threads.Start(work, work, work);
            Thread.Sleep(20);
            describer.Dispose();
            wait();
            describer.Dispose();
            Assert.That(() => describer.Describe([], 32), Throws.TypeOf<ObjectDisposedException>());
        }
    }

    // The network hands the pixels on, so that its descriptors show what it was given.
    [TestCase(PatchScaling.Grey, false, 32, 0)]
    [TestCase(PatchScaling.ZeroToOne, true, 32, 0)]
    [TestCase(PatchScaling.PerPatch, false, 32, 2)]
    [TestCase(PatchScaling.PerPatch, true, 64, 0)]
    public void PixelsAreScaledAndLaidOutAsTheNetworkWants(PatchScaling scaling, bool channelLast, int side, int batch)
    {
        int[] shape = channelLast ? [batch, side, side, 1] : [batch, 1, side, side];
        WriteIdentity(folder["same.onnx"], shape);
        using var describer = new OnnxDescriber("same", folder["same.onnx"], scaling);
        byte[] patches = Patches(5, side);
        DescriptorSet found = describer.Describe(patches, side);
        Assert.That((found.Count, found.Dimension), Is.EqualTo((5, side * side)));
        for (int i = 0; i < 5; i++)
        {
            double[] pixels = [.. patches.Skip(i * side * side).Take(side * side).Select(pixel => (double)pixel)];
            double mean = pixels.Average(), deviation = Math.Sqrt(pixels.Sum(pixel => Math.Pow(pixel - mean, 2)) / (pixels.Length - 1));
            double[] expected = [.. pixels.Select(pixel => scaling switch
            {
                PatchScaling.Grey => pixel,
                PatchScaling.ZeroToOne => pixel / 255,
                _ => (pixel - mean) / (deviation + 1e-7),
            })];
            Assert.That(found.Values!.Skip(i * side * side).Take(side * side), Is.EqualTo(expected).Within(1e-5));
        }
    }

    [Test]
    public void FilesThatDescribeNoPatchesAreNamed()
    {
        File.WriteAllText(folder["text.onnx"], "no network");
        Refused("text.onnx", "ONNX Runtime");
        WriteIdentity(folder["colour.onnx"], [0, 3, 32, 32]);
        Refused("colour.onnx", "[?, 3, 32, 32]");
        WriteIdentity(folder["oblong.onnx"], [0, 1, 32, 16]);
        Refused("oblong.onnx", "square");
        Assert.That(() => new OnnxDescriber("x", folder["none.onnx"], PatchScaling.Grey), Throws.TypeOf<FileNotFoundException>());

        void Refused(string file, string word) => Assert.That(
            () => new OnnxDescriber("x", folder[file], PatchScaling.Grey),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(file).And.Message.Contains(word));
    }

    [Test]
    [Category("Data")]
    public void TheRealTFeatTellsPatchesApart()
    {
        string? data = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        string path = Path.Combine(data ?? string.Empty, "weights", "tfeat-liberty.params");
        if (data is null || !File.Exists(path) || !File.Exists(Path.Combine(data, "hpatches", "ref.png")))
        {
            Assert.Ignore("CUDAL2NET_DATA names no folder with weights/tfeat-liberty.params and hpatches/ref.png");
        }

        using Device device = Device.Open("cpu");
        using var model = new PatchModel(ModelImport.Read(path), device);
        var tfeat = new ModelDescriber("TFeat", model);
        var strip = CudaL2Net.Imaging.Data.PatchStrip.Read(Path.Combine(data!, "hpatches", "ref.png"));
        byte[] patches = strip.Pixels[..(200 * 65 * 65)], darker = [.. patches.Select(pixel => (byte)(20 + (pixel * 3 / 4)))];
        DescriptorSet first = tfeat.Describe(patches, 65), second = tfeat.Describe(darker, 65);
        int right = new DescriptorSearch(device).Nearest(first, second).Count(match => match.Query == match.Target);
        Assert.That(right, Is.GreaterThan(190), "the same patches with less contrast");
        Assert.That(first.Values!.Max(Math.Abs), Is.InRange(0.9f, 1.001f));
    }

    private static byte[] Patches(int count, int side)
    {
        byte[] patches = new byte[count * side * side];
        new Random(side).NextBytes(patches);
        return patches;
    }

    private static void WriteIdentity(string path, int[] shape)
    {
        var graph = new OnnxGraph();
        graph.Input("patches", 1);
        ModelProto model = graph.ToModel("same", "descriptors", 1);
        model.Graph.Input[0].Type.TensorType.Shape = new TensorShapeProto();
        foreach (int size in shape)
        {
            model.Graph.Input[0].Type.TensorType.Shape.Dim.Add(
                size == 0 ? new TensorShapeProto.Types.Dimension { DimParam = "N" } : new TensorShapeProto.Types.Dimension { DimValue = size });
        }

        model.Graph.Output[0].Type.TensorType.Shape = null;
        var axis = new AttributeProto { Name = "axis", Type = AttributeProto.Types.AttributeType.Int, I = 1 };
        model.Graph.Node.Add(new NodeProto { OpType = "Flatten", Input = { "patches" }, Output = { "descriptors" }, Attribute = { axis } });
        File.WriteAllBytes(path, model.ToByteArray());
    }
}
