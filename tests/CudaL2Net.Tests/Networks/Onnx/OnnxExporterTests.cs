using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Networks.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OpenCvSharp;
using OpenCvSharp.Dnn;

namespace CudaL2Net.Tests.Networks.Onnx;

/// <summary>Exported models in two independent runtimes against a plain evaluation in double precision.</summary>
public sealed class OnnxExporterTests
{
    private const double Tolerance = 1e-4;

    [TestCase(32, false)]
    [TestCase(8, true)]
    public void OneTowerGivesTheSameInOnnxRuntimeAndOpenCv(int channels, bool meanImage)
    {
        FoldedNetwork network = RandomNetwork(channels, meanImage, seed: 3);
        Compare([network], 32, patch => Evaluate(network, patch));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void TwoTowersSeeTheReducedPatchAndItsCentre(bool meanImage)
    {
        FoldedNetwork left = RandomNetwork(8, meanImage, seed: 4), right = RandomNetwork(8, meanImage, seed: 5);
        Compare([left, right], 64, patch =>
        {
            byte[] reduced = new byte[32 * 32], centre = new byte[32 * 32];
            PatchResize.Reduce(patch, 64, reduced);
            PatchResize.CropCentre(patch, 64, centre);
            return [.. Evaluate(left, reduced), .. Evaluate(right, centre)];
        });
    }

    [Test]
    public void MetadataAndOperatorSetAreStored()
    {
        using var folder = new TemporaryFolder();
        var metadata = new Dictionary<string, string> { ["preset"] = "quick", ["architecture"] = "l2net" };
        OnnxExporter.Write(folder["m.onnx"], Model([RandomNetwork(8, false, seed: 3)]), metadata);
        using var session = new InferenceSession(folder["m.onnx"]);
        Assert.That(session.ModelMetadata.CustomMetadataMap, Is.EquivalentTo(metadata));
        Assert.That(session.ModelMetadata.ProducerName, Is.EqualTo("CudaL2Net"));
        Assert.That(session.InputMetadata["patches"].Dimensions, Is.EqualTo(new[] { -1, 1, 32, 32 }));
        Assert.That(session.OutputMetadata["descriptors"].Dimensions, Is.EqualTo(new[] { -1, 32 }));
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["m.onnx"]));
        Assert.That(model.OpsetImport.Single().Version, Is.EqualTo(OnnxExporter.Opset));
    }

    // The same layers as a description with weights.
    private static ModelFile Model(FoldedNetwork[] towers)
    {
        Tower[] described = [.. towers.Select((tower, t) => new Tower
        {
            View = towers.Length == 1 ? PatchView.Whole : t == 0 ? PatchView.Reduced : PatchView.Centre,
            Layers =
            [
                .. tower.Layers.SelectMany(layer => (Layer[])
                [
                    new Convolution { Out = layer.OutChannels, Kernel = layer.Kernel, Stride = layer.Stride, Padding = layer.Padding, Bias = true },
                    layer.Relu ? new Relu() : new UnitVector(),
                ]),
            ],
        })];
        var network = new Network
        {
            Name = "test",
            Input = new NetworkInput { Side = towers.Length == 1 ? 32 : 64, Normalization = towers[0].Normalization },
            Towers = described,
        };
        TowerWeights[] weights = [.. towers.Select(tower => new TowerWeights(tower.MeanImage,
        [
            .. tower.Layers.SelectMany(layer => (LayerWeights[])
            [
                new LayerWeights(new Dictionary<string, float[]> { ["filters"] = layer.Filters, ["bias"] = layer.Bias }), LayerWeights.None,
            ]),
        ]))];
        return new ModelFile(network, new NetworkWeights(weights, []), 10, new Dictionary<string, string>());
    }

    private static void Compare(FoldedNetwork[] towers, int side, Func<byte[], double[]> evaluate)
    {
        using var folder = new TemporaryFolder();
        OnnxExporter.Write(folder["m.onnx"], Model(towers));
        using var session = new InferenceSession(folder["m.onnx"]);
        using Net net = CvDnn.ReadNetFromOnnx(folder["m.onnx"])!;
        foreach (byte[] patches in Batches(side))
        {
            double[] expected = [.. patches.Chunk(side * side).SelectMany(evaluate)];
            float[] values = Array.ConvertAll(patches, value => (float)value);
            int count = patches.Length / (side * side), dimension = towers.Sum(tower => tower.Dimension);

            using var results = session.Run([NamedOnnxValue.CreateFromTensor("patches", new DenseTensor<float>(values, [count, 1, side, side]))]);
            var fromRuntime = (DenseTensor<float>)results.Single().AsTensor<float>();
            Assert.That(fromRuntime.Dimensions.ToArray(), Is.EqualTo(new[] { count, dimension }));
            AssertClose(fromRuntime.Buffer.ToArray(), expected, "ONNX Runtime");

            using Mat input = Mat.FromPixelData([count, 1, side, side], MatType.CV_32F, values);
            net.SetInput(input, "patches");
            using Mat output = net.Forward("descriptors");
            Assert.That(output.Size(), Is.EqualTo(new Size(dimension, count)));
            Assert.That(output.GetArray(out float[] fromOpenCv), Is.True);
            AssertClose(fromOpenCv, expected, "OpenCV");
        }
    }

    private static void AssertClose(float[] actual, double[] expected, string runtime)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(Tolerance), $"{runtime}, value {i}");
        }
    }

    /// <summary>One patch of noise, then three: noise, a faint pattern on grey, and a flat one.</summary>
    private static IEnumerable<byte[]> Batches(int side)
    {
        var random = new Random(9);
        byte[] single = new byte[side * side], three = new byte[3 * side * side];
        random.NextBytes(single);
        yield return single;
        random.NextBytes(three.AsSpan(0, side * side));
        for (int i = 0; i < side * side; i++)
        {
            three[(side * side) + i] = (byte)(100 + random.Next(3));
        }

        three.AsSpan(2 * side * side).Fill(77);
        yield return three;
    }

    private static FoldedNetwork RandomNetwork(int width, bool meanImage, int seed)
    {
        var random = new Random(seed);
        (int Kernel, int Stride, int Padding, int In, int Out)[] sizes =
        [
            (3, 1, 1, 1, width), (3, 1, 1, width, width), (3, 2, 1, width, 2 * width), (3, 1, 1, 2 * width, 2 * width), (3, 2, 1, 2 * width, 4 * width),
            (3, 1, 1, 4 * width, 4 * width), (8, 1, 0, 4 * width, 4 * width),
        ];
        FoldedLayer[] layers =
        [
            .. sizes.Select((size, index) =>
            {
                double gain = Math.Sqrt(6.0 / (size.Kernel * size.Kernel * size.In));
                float[] filters = new float[size.Out * size.Kernel * size.Kernel * size.In], bias = new float[size.Out];
                for (int i = 0; i < filters.Length; i++)
                {
                    filters[i] = (float)(gain * ((2 * random.NextDouble()) - 1));
                }

                for (int i = 0; i < bias.Length; i++)
                {
                    bias[i] = (float)(0.2 * (random.NextDouble() - 0.5));
                }

                return new FoldedLayer(size.Kernel, size.Stride, size.Padding, size.In, size.Out, filters, bias, Relu: index < sizes.Length - 1);
            }),
        ];
        float[]? mean = meanImage ? [.. Enumerable.Range(0, 1024).Select(_ => (float)(100 + (50 * random.NextDouble())))] : null;
        return new FoldedNetwork(meanImage ? PatchNormalization.L2Net : PatchNormalization.PerPatch, mean, layers);
    }

    private static double[] Evaluate(FoldedNetwork network, byte[] patch)
    {
        double[] x = new double[patch.Length];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = patch[i] - (network.MeanImage?[i] ?? 0);
        }

        double mean = x.Average(), deviation = Math.Sqrt(x.Sum(value => (value - mean) * (value - mean)) / (x.Length - 1));
        x = Array.ConvertAll(x, value => (value - mean) / (deviation + (network.Normalization == PatchNormalization.L2Net ? 1e-12 : 1e-7)));
        int side = 32;
        foreach (FoldedLayer layer in network.Layers)
        {
            (x, side) = Convolve(x, side, layer);
        }

        double norm = Math.Sqrt(x.Sum(value => value * value) + 1e-10);
        return Array.ConvertAll(x, value => value / norm);
    }

    private static (double[] Y, int Side) Convolve(double[] x, int side, FoldedLayer layer)
    {
        int outSide = ((side + (2 * layer.Padding) - layer.Kernel) / layer.Stride) + 1;
        double[] y = new double[outSide * outSide * layer.OutChannels];
        for (int index = 0; index < y.Length; index++)
        {
            (int row, int column, int o) = (index / layer.OutChannels / outSide, index / layer.OutChannels % outSide, index % layer.OutChannels);
            double sum = layer.Bias[o];
            for (int ky = 0; ky < layer.Kernel; ky++)
            {
                for (int kx = 0; kx < layer.Kernel; kx++)
                {
                    int inRow = (row * layer.Stride) + ky - layer.Padding, inColumn = (column * layer.Stride) + kx - layer.Padding;
                    for (int i = 0; inRow >= 0 && inRow < side && inColumn >= 0 && inColumn < side && i < layer.InChannels; i++)
                    {
                        float weight = layer.Filters[(((((o * layer.Kernel) + ky) * layer.Kernel) + kx) * layer.InChannels) + i];
                        sum += x[(((inRow * side) + inColumn) * layer.InChannels) + i] * weight;
                    }
                }
            }

            y[index] = layer.Relu ? Math.Max(0, sum) : sum;
        }

        return (y, outSide);
    }
}
