using CudaL2Net.Imaging.Sources;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Interop;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>The fused towers against a double-precision tower whose weights and activations are rounded to bf16, or to bytes, in the same places.</summary>
[Category("Cuda")]
public sealed class DescribeTests
{
    private const int Area = 32 * 32;

    private static readonly FoldedNetwork Initial = TestNetworks.Fold(ModelFile.Untrained(TestNetworks.L2Net, 3));

    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [TestCase(1, PatchNormalization.PerPatch, Precision.Bf16)]
    [TestCase(5, PatchNormalization.L2Net, Precision.Bf16)]
    [TestCase(1, PatchNormalization.PerPatch, Precision.Int8)]
    [TestCase(5, PatchNormalization.L2Net, Precision.Int8)]
    public void MatchesTheReferenceRoundedInTheSamePlaces(int count, PatchNormalization normalization, Precision precision)
    {
        FoldedNetwork network = Network(normalization);
        byte[] patches = Bytes(count);
        float[] descriptors = Describe(network, patches, precision);
        for (int i = 0; i < count; i++)
        {
            double[] expected = Reference(network, patches[(i * Area)..((i + 1) * Area)], precision);

            // A sum that falls on the other side of a rounding boundary moves an activation by 2^-8 of itself or of its limit: few do. Bytes pass that on: each
            // such activation lies in hundreds of sums, of which a twelfth moves by a step, too. A GPU may contract the float32 arithmetic of layer 1 otherwise.
            double tolerance = precision == Precision.Int8 && !CudaDriver.Emulated ? 2e-2 : 2e-3;
            Assert.That(Distance(descriptors.AsSpan(i * 128, 128), expected), Is.LessThan(tolerance), $"patch {i}");
            Assert.That(expected.Sum(value => value * value), Is.EqualTo(1).Within(1e-6));
        }
    }

    /// <summary>There are two blocks per multiprocessor: some describe a second patch.</summary>
    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Int8)]
    public void BlocksDescribeOnePatchAfterAnother(Precision precision)
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        using var device = (CudaDevice)Device.Open("cuda");
        int[] which = [.. Enumerable.Range(0, (2 * device.Multiprocessors) + 3).Select(i => i % 3)];
        byte[] three = Bytes(3);
        float[] expected = Describe(network, three, precision);
        float[] actual = Describe(network, [.. which.SelectMany(i => three[(i * Area)..((i + 1) * Area)])], precision);
        Assert.That(actual, Is.EqualTo(which.SelectMany(i => expected[(i * 128)..((i + 1) * 128)])));
    }

    [TestCase(Precision.Bf16, 2e-2)]
    [TestCase(Precision.Int8, 6e-2)]
    public void IsNearTheFloat32Descriptor(Precision precision, double tolerance)
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        AssertNear(network, Bytes(4), precision, tolerance);
    }

    /// <summary>The model that comes with the tool, on patches from scenes like those that it was trained on.</summary>
    [TestCase(Precision.Bf16, 2e-2)]
    [TestCase(Precision.Int8, 0.1)]
    public void OfTheTrainedModelToo(Precision precision, double tolerance)
    {
        byte[] patches = new SyntheticSource(1, 128, 96).Build(8, new PairOptions { PointsPerPicture = 20, Copies = 1 }, 1).Patches.Pixels;
        AssertNear(TrainedNetwork(), patches[..(16 * Area)], precision, tolerance);
    }

    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Int8)]
    public void APlanUsesIt(Precision precision)
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        byte[] patches = Bytes(3);
        var planned = new float[3 * 128];
        using var device = new CudaDevice(0, precision) { PlanBlock = 2 };
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, planned, 128);
        Assert.That(planned, Is.EqualTo(Describe(network, patches, precision)));
        var signs = new byte[3 * 16];
        plan.DescribeSigns(patches, signs, 16);
        Assert.That(signs, Is.EqualTo(PatchModel.Binarize(planned)));
    }

    /// <summary>Compute capability 8.6 has 99 KB of shared memory for a block: enough for bytes.</summary>
    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Int8)]
    public void ADeviceWithLessSharedMemoryDescribesLayerByLayerInBf16(Precision precision)
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        byte[] patches = Bytes(2);
        float[] expected = Describe(network, patches, precision);
        using var emulated = new EmulatedDevice();
        emulated["compute"] = 86;
        float[] planned = Planned(network, patches, precision);
        if (precision == Precision.Int8)
        {
            Assert.That(planned, Is.EqualTo(expected));
            return;
        }

        Assert.That(planned, Is.Not.EqualTo(expected));
        for (int row = 0; row < 2; row++)
        {
            Assert.That(Distance(planned.AsSpan(row * 128, 128), [.. expected[(row * 128)..((row + 1) * 128)]]), Is.LessThan(2e-2));
        }
    }

    /// <summary>Nothing is known of the activations of a layer without limits, and other shapes have no kernel.</summary>
    [Test]
    public void WhatCannotBeInBytesIsInBf16()
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        FoldedLayer[] layers = [.. network.Layers];
        layers[3] = layers[3] with { Limits = null };
        FoldedNetwork unlimited = network with { Layers = layers };
        Assert.That(CudaDevice.FusedTower.Fits(unlimited, Precision.Int8), Is.False);
        FoldedNetwork other = network with { Layers = [network.Layers[0] with { Relu = false }, .. network.Layers.Skip(1)] };
        byte[] patches = Bytes(2);
        Assert.That(Planned(unlimited, patches, Precision.Int8), Is.EqualTo(Describe(unlimited, patches, Precision.Bf16)));
        Assert.That(Planned(other, patches, Precision.Int8), Is.EqualTo(Planned(other, patches, Precision.Bf16)));
    }

    [Test]
    public void AFlatPatchGivesAFiniteDescriptor([Values(Precision.Bf16, Precision.Int8)] Precision precision) =>
        Assert.That(Describe(Network(PatchNormalization.PerPatch), new byte[Area], precision), Is.All.Matches<float>(float.IsFinite));

    [Test]
    public void AnotherNetworkIsRefused([Values(Precision.Bf16, Precision.Int8)] Precision precision)
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        Assert.That(CudaDevice.FusedTower.Fits(network, precision), Is.True);
        Assert.That(CudaDevice.FusedTower.Fits(network with { Layers = [.. network.Layers.Skip(1)] }, precision), Is.False);
        Assert.That(
            CudaDevice.FusedTower.Fits(network with { Layers = [network.Layers[0] with { Relu = false }, .. network.Layers.Skip(1)] }, precision), Is.False);
        Assert.That(CudaDevice.FusedTower.Fits(network, Precision.Tf32), Is.False);
    }

    private static float[] Describe(FoldedNetwork network, byte[] patches, Precision precision)
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using var tower = new CudaDevice.FusedTower(device, network, precision);
        using Tensor<byte> input = device.Upload<byte>(patches);
        using Tensor<float> output = device.Allocate<float>(patches.Length / Area, 128);
        tower.Run(input, output);
        return output.ToArray();
    }

    private static float[] Planned(FoldedNetwork network, byte[] patches, Precision precision)
    {
        var descriptors = new float[patches.Length / Area * 128];
        using Device device = Device.Open("cuda", precision: precision);
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, descriptors, 128);
        return descriptors;
    }

    private static void AssertNear(FoldedNetwork network, byte[] patches, Precision precision, double tolerance)
    {
        var expected = new float[patches.Length / Area * 128];
        using Device cpu = Device.Open("cpu", 1);
        using INetworkPlan plan = cpu.Kernels.Plan(network);
        plan.Describe(patches, expected, 128);
        float[] actual = Describe(network, patches, precision);
        double[] distances = [.. Enumerable.Range(0, patches.Length / Area).Select(
            i => Distance(actual.AsSpan(i * 128, 128), [.. expected[(i * 128)..((i + 1) * 128)]]))];
        TestContext.Out.WriteLine($"distances up to {distances.Max():F4}, on average {distances.Average():F4}");
        Assert.That(distances, Is.All.LessThan(tolerance));
    }

    private static double Distance(ReadOnlySpan<float> actual, double[] expected)
    {
        double square = 0;
        for (int k = 0; k < expected.Length; k++)
        {
            square += Math.Pow(actual[k] - expected[k], 2);
        }

        return Math.Sqrt(square);
    }

    private static FoldedNetwork TrainedNetwork()
    {
        using Device cpu = Device.Open("cpu", 1);
        using PatchModel model = PatchModel.LoadDefault(cpu);
        return TestNetworks.Fold(model.File);
    }

    /// <summary>The model's initial weights, of a size that keeps activations near 1, with biases.</summary>
    private static FoldedNetwork Network(PatchNormalization normalization)
    {
        float[]? mean = normalization == PatchNormalization.L2Net ? Array.ConvertAll(Samples.Gaussian(3, Area), v => 100 + (10 * v)) : null;
        return new FoldedNetwork(normalization, mean, [.. Initial.Layers.Select((layer, i) => layer with
        {
            Filters = Array.ConvertAll(layer.Filters, weight => 2 * weight),
            Bias = Array.ConvertAll(Samples.Gaussian((ulong)i + 50, layer.OutChannels), v => 0.1f * v),
        })]);
    }

    private static double[] Reference(FoldedNetwork network, byte[] patch, Precision precision)
    {
        double[] x = Plain.NormalizePatch(
            Array.ConvertAll(patch, b => (double)b), network.Normalization, network.MeanImage == null ? null : Samples.Widen(network.MeanImage));
        int side = 32;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            FoldedLayer layer = network.Layers[i];
            var geometry = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
            x = precision == Precision.Int8 && i is > 0 and < 6
                ? OfBytes(geometry, x, layer, network.Layers[i - 1].Limits!, i < 5 ? layer.Limits : null)

                // The first layer is in float32.
                : Plain.Conv2d(geometry, x, Array.ConvertAll(layer.Filters, weight => i == 0 ? weight : Round(weight)), Samples.Widen(layer.Bias));
            if (layer.Relu)
            {
                x = precision != Precision.Int8 || i == 5 ? Array.ConvertAll(Plain.Relu(x), Round) : ToBytes(i == 0 ? InParts(x, layer.Limits!) : x);
            }

            side = geometry.OutHeight;
        }

        return Plain.UnitVector(x, x.Length);
    }

    // Sums are exact; they are scaled to parts of the limits in float32 as the kernel does it, for its rounding of the term shows.
    private static double[] OfBytes(Conv2dGeometry geometry, double[] x, FoldedLayer layer, float[] inputLimits, float[]? limits)
    {
        const double Origin = 3 << 22;
        var quantized = QuantizedLayer.Of(layer, inputLimits);
        double[] sums = Plain.Conv2d(geometry, x, Array.ConvertAll(quantized.Filters, weight => (double)weight), new double[layer.OutChannels]);
        return [.. sums.Select((sum, i) =>
        {
            int o = i % layer.OutChannels;
            double limit = limits?[o] ?? 1;
            float factor = (float)(quantized.Scales[o] / limit), term = (float)((layer.Bias[o] / limit) - (Origin * factor));
            return (double)MathF.FusedMultiplyAdd((float)(Origin + sum), factor, term);
        })];
    }

    private static double[] InParts(double[] x, float[] limits) => [.. x.Select((value, i) => value / limits[i % limits.Length])];

    private static double[] ToBytes(double[] x) => Array.ConvertAll(x, value => Math.Round(255 * Math.Clamp(value, 0, 1)));

    private static double Round(double value) =>
        BitConverter.UInt32BitsToSingle((uint)CudaDevice.FusedTower.RoundToBf16((float)value) << 16);

    private static byte[] Bytes(int count)
    {
        var stream = new PhiloxStream(4, DrawPurpose.Evaluation, 0);
        return [.. Enumerable.Range(0, count * Area).Select(_ => (byte)stream.NextUInt())];
    }
}
