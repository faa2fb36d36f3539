using CudaL2Net.Devices;
using CudaL2Net.Devices.Cuda;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;
using CudaL2Net.Tests.Interop;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Operations;

/// <summary>The fused bf16 tower against a double-precision tower whose weights and activations are rounded to bf16 in the same places.</summary>
[Category("Cuda")]
public sealed class DescribeTests
{
    private const int Area = 32 * 32;

    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [TestCase(1, PatchNormalization.PerPatch)]
    [TestCase(5, PatchNormalization.L2Net)]
    public void MatchesTheReferenceRoundedInTheSamePlaces(int count, PatchNormalization normalization)
    {
        FoldedNetwork network = Network(normalization);
        byte[] patches = Bytes(count);
        float[] descriptors = Describe(network, patches);
        for (int i = 0; i < count; i++)
        {
            double[] expected = Reference(network, patches[(i * Area)..((i + 1) * Area)]);
            double distance = Math.Sqrt(expected.Select((value, k) => Math.Pow(value - descriptors[(i * 128) + k], 2)).Sum());

            // A sum that falls on the other side of a rounding boundary moves an activation by 2^-8 of itself: few do.
            Assert.That(distance, Is.LessThan(2e-3), $"patch {i}");
            Assert.That(expected.Sum(value => value * value), Is.EqualTo(1).Within(1e-6));
        }
    }

    [Test]
    public void IsNearTheFloat32Descriptor()
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        byte[] patches = Bytes(4);
        var expected = new float[4 * 128];
        using Device cpu = Device.Open("cpu", 1);
        using INetworkPlan plan = cpu.Kernels.Plan(network);
        plan.Describe(patches, expected, 128);
        float[] actual = Describe(network, patches);
        for (int i = 0; i < 4; i++)
        {
            double square = 0;
            for (int k = i * 128; k < (i + 1) * 128; k++)
            {
                square += Math.Pow(actual[k] - expected[k], 2);
            }

            Assert.That(Math.Sqrt(square), Is.LessThan(2e-2));
        }
    }

    [Test]
    public void ABf16PlanUsesIt()
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        byte[] patches = Bytes(3);
        var planned = new float[3 * 128];
        using var device = new CudaDevice(0, Precision.Bf16) { PlanBlock = 2 };
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, planned, 128);
        Assert.That(planned, Is.EqualTo(Describe(network, patches)));
        var signs = new byte[3 * 16];
        plan.DescribeSigns(patches, signs, 16);
        Assert.That(signs, Is.EqualTo(L2Net.Binarize(planned)));
    }

    /// <summary>Compute capability 8.6 has 99 KB of shared memory for a block.</summary>
    [Test]
    public void ADeviceWithLessSharedMemoryDescribesLayerByLayer()
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        byte[] patches = Bytes(2);
        float[] expected = Describe(network, patches), planned = new float[2 * 128];
        using var emulated = new EmulatedDevice();
        emulated["compute"] = 86;
        using var device = new CudaDevice(0, Precision.Bf16);
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, planned, 128);
        for (int row = 0; row < 2; row++)
        {
            double square = Enumerable.Range(128 * row, 128).Sum(k => Math.Pow(planned[k] - expected[k], 2));
            Assert.That(Math.Sqrt(square), Is.LessThan(2e-2));
        }
    }

    [Test]
    public void AFlatPatchGivesAFiniteDescriptor() =>
        Assert.That(Describe(Network(PatchNormalization.PerPatch), new byte[Area]), Is.All.Matches<float>(float.IsFinite));

    [Test]
    public void AnotherNetworkIsRefused()
    {
        FoldedNetwork network = Network(PatchNormalization.PerPatch);
        Assert.That(CudaDevice.FusedTower.Fits(network), Is.True);
        Assert.That(CudaDevice.FusedTower.Fits(network with { Layers = [.. network.Layers.Skip(1)] }), Is.False);
        Assert.That(CudaDevice.FusedTower.Fits(network with { Layers = [network.Layers[0] with { Relu = false }, .. network.Layers.Skip(1)] }), Is.False);
    }

    private static float[] Describe(FoldedNetwork network, byte[] patches)
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using var tower = new CudaDevice.FusedTower(device, network);
        using Tensor<byte> input = device.Upload<byte>(patches);
        using Tensor<float> output = device.Allocate<float>(patches.Length / Area, 128);
        tower.Run(input, output);
        return output.ToArray();
    }

    /// <summary>The model's initial weights, of a size that keeps activations near 1, with biases.</summary>
    private static FoldedNetwork Network(PatchNormalization normalization)
    {
        FoldedNetwork network = TowerWeights.Initialize(TowerSettings.Default, 3).Fold();
        float[]? mean = normalization == PatchNormalization.L2Net ? Array.ConvertAll(Samples.Gaussian(3, Area), v => 100 + (10 * v)) : null;
        return new FoldedNetwork(normalization, mean, [.. network.Layers.Select((layer, i) => layer with
        {
            Filters = Array.ConvertAll(layer.Filters, weight => 2 * weight),
            Bias = Array.ConvertAll(Samples.Gaussian((ulong)i + 50, layer.OutChannels), v => 0.1f * v),
        })]);
    }

    private static double[] Reference(FoldedNetwork network, byte[] patch)
    {
        double[] x = Plain.NormalizePatch(
            Array.ConvertAll(patch, b => (double)b), network.Normalization, network.MeanImage == null ? null : Samples.Widen(network.MeanImage));
        int side = 32;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            FoldedLayer layer = network.Layers[i];
            var geometry = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
            double[] filters = Samples.Widen(layer.Filters);

            // The first layer is in float32.
            x = Plain.Conv2d(geometry, x, i == 0 ? filters : Array.ConvertAll(filters, Round), Samples.Widen(layer.Bias));
            x = layer.Relu ? Array.ConvertAll(Plain.Relu(x), Round) : x;
            side = geometry.OutHeight;
        }

        return Plain.UnitVector(x, x.Length);
    }

    private static double Round(double value) =>
        BitConverter.UInt32BitsToSingle((uint)CudaDevice.FusedTower.RoundToBfloat16((float)value) << 16);

    private static byte[] Bytes(int count)
    {
        var stream = new PhiloxStream(4, DrawPurpose.Evaluation, 0);
        return [.. Enumerable.Range(0, count * Area).Select(_ => (byte)stream.NextUInt())];
    }
}
