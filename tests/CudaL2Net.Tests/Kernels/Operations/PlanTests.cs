using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class PlanTests(string device) : OperationTests(device)
{
    private const int Area = 32 * 32;

    [TestCase(PatchNormalization.Fixed)]
    [TestCase(PatchNormalization.Centred)]
    public void OtherNormalizationsAreRefused(PatchNormalization normalization)
    {
        FoldedNetwork network = new(normalization, null, [Layer(1, 3, 2, 1, 1, 5), Layer(2, 16, 1, 0, 5, 16, relu: false)]);
        using Device device = Open(1);
        Assert.That(() => device.Kernels.Plan(network), Throws.ArgumentException.With.Message.Contains(normalization.ToString()));
    }

    [Test]
    public void ASmallNetworkMatchesTheReference(
        [Values(1, 2, 5)] int count, [Values(PatchNormalization.PerPatch, PatchNormalization.L2Net)] PatchNormalization normalization,
        [Values(1, 2, 3)] int threadsOrBlock)
    {
        float[]? meanImage = normalization == PatchNormalization.L2Net ? Array.ConvertAll(Samples.Gaussian(3, Area), v => 100 + (10 * v)) : null;
        FoldedNetwork network = new(
            normalization, meanImage, [Layer(1, 3, 2, 1, 1, 5), Layer(2, 3, 1, 1, 5, 6), Layer(3, 3, 2, 1, 6, 33), Layer(4, 8, 1, 0, 33, 20, relu: false)]);
        byte[] patches = Bytes(count * Area);
        var descriptors = new float[(count * 25) - 5];
        using (Device device = Open(threadsOrBlock))
        using (INetworkPlan plan = device.Kernels.Plan(network))
        {
            plan.Describe(patches, descriptors, 25);
        }

        for (int i = 0; i < count; i++)
        {
            AssertClose(descriptors[(25 * i)..((25 * i) + 20)], Describe(network, patches[(i * Area)..((i + 1) * Area)]), 5e-6);
            Assert.That(descriptors[((25 * i) + 20)..Math.Min(25 * (i + 1), descriptors.Length)], Is.All.Zero, "the gap between two rows is not written");
        }
    }

    [Test]
    public void SignsAreThoseOfTheDescriptors([Values(1, 2, 5)] int count)
    {
        FoldedNetwork network = new(PatchNormalization.PerPatch, null, [Layer(1, 3, 2, 1, 1, 5), Layer(2, 16, 1, 0, 5, 24, relu: false)]);
        byte[] patches = Bytes(count * Area);
        var descriptors = new float[count * 24];
        var signs = new byte[(count * 5) - 2];
        using Device device = Open(2);
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, descriptors, 24);
        plan.DescribeSigns(patches, signs, 5);
        for (int i = 0; i < count; i++)
        {
            Assert.That(signs[(5 * i)..((5 * i) + 3)], Is.EqualTo(PatchModel.Binarize(descriptors.AsSpan(24 * i, 24))));
            Assert.That(signs[((5 * i) + 3)..Math.Min(5 * (i + 1), signs.Length)], Is.All.Zero, "the gap between two rows is not written");
        }

        using INetworkPlan odd = device.Kernels.Plan(network with { Layers = [network.Layers[0], Layer(2, 16, 1, 0, 5, 20, relu: false)] });
        Assert.That(() => odd.DescribeSigns(patches, signs, 5), Throws.ArgumentException.With.Message.Contains("20 dimensions"));
    }

    [Test]
    public void ALayerBeforeTheLastMayMakeOnePixel()
    {
        FoldedNetwork network = new(
            PatchNormalization.PerPatch, null, [Layer(1, 3, 2, 1, 1, 5), Layer(2, 16, 1, 0, 5, 12), Layer(3, 1, 1, 0, 12, 8, relu: false)]);
        byte[] patch = Bytes(Area);
        var descriptor = new float[8];
        using Device device = Open();
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patch, descriptor, 8);
        AssertClose(descriptor, Describe(network, patch), 5e-6);
    }

    [Test]
    public void ADescriptorDoesNotDependOnTheBatchItIsIn()
    {
        FoldedNetwork network = new(
            PatchNormalization.PerPatch, null, [Layer(1, 3, 1, 1, 1, 32), Layer(2, 3, 2, 1, 32, 64), Layer(3, 16, 1, 0, 64, 128, relu: false)]);
        byte[] patches = Bytes(7 * Area);
        float[] together = new float[7 * 128], alone = new float[7 * 128];
        using Device device = Open();
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(patches, together, 128);
        for (int i = 0; i < 7; i++)
        {
            plan.Describe(patches.AsSpan(i * Area, Area), alone.AsSpan(i * 128, 128), 128);
        }

        Assert.That(alone, Is.EqualTo(together));
    }

    [Test]
    public void AFlatPatchGivesAFiniteDescriptor()
    {
        FoldedNetwork network = new(PatchNormalization.PerPatch, null, [Layer(1, 3, 2, 1, 1, 5), Layer(2, 16, 1, 0, 5, 16, relu: false)]);
        var descriptor = new float[16];
        using Device device = Open();
        using INetworkPlan plan = device.Kernels.Plan(network);
        plan.Describe(new byte[Area], descriptor, 16);
        Assert.That(descriptor, Is.All.Matches<float>(float.IsFinite));
    }

    /// <summary>The device with so many threads, or so many patches in a block.</summary>
    private Device Open(int threadsOrBlock)
    {
        Device opened = Open();
        if (opened is CudaDevice cuda)
        {
            cuda.PlanBlock = threadsOrBlock;
            return opened;
        }

        opened.Dispose();
        return Device.Open("cpu", threadsOrBlock);
    }

    private static double[] Describe(FoldedNetwork network, byte[] patch)
    {
        double[] x = Plain.NormalizePatch(
            Array.ConvertAll(patch, b => (double)b), network.Normalization, network.MeanImage == null ? null : Samples.Widen(network.MeanImage));
        int side = 32;
        foreach (FoldedLayer layer in network.Layers)
        {
            var geometry = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
            x = Plain.Conv2d(geometry, x, Samples.Widen(layer.Filters), Samples.Widen(layer.Bias));
            x = layer.Relu ? Plain.Relu(x) : x;
            side = geometry.OutHeight;
        }

        return Plain.UnitVector(x, x.Length);
    }

    private static FoldedLayer Layer(ulong seed, int kernel, int stride, int padding, int inChannels, int outChannels, bool relu = true)
    {
        float[] filters = Array.ConvertAll(
            Samples.Gaussian(seed, outChannels * kernel * kernel * inChannels), v => v / MathF.Sqrt(kernel * kernel * inChannels));
        return new FoldedLayer(kernel, stride, padding, inChannels, outChannels, filters, Samples.Gaussian(seed + 100, outChannels), relu);
    }

    private static byte[] Bytes(int count)
    {
        var stream = new PhiloxStream(4, DrawPurpose.Evaluation, 0);
        return Enumerable.Range(0, count).Select(_ => (byte)stream.NextUInt()).ToArray();
    }
}
