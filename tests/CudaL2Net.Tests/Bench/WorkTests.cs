using CudaL2Net.Bench.Operations;
using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Bench;

/// <summary>Bytes and operations against figures worked out by hand.</summary>
public sealed class WorkTests
{
    // Layer 3: 3x3, 32 to 64 channels, stride 2, 32x32 to 16x16; two patches.
    private static readonly Conv2dGeometry Layer3 = L2NetLayers.Of(2)[2];

    private const long X = 2 * 32 * 32 * 32, Y = 2 * 16 * 16 * 64, W = 64 * 3 * 3 * 32, Flop = 2 * Y * 9 * 32;

    [Test]
    public void TheLayersAreTheNetworks()
    {
        long[] expected = [294_912, 9_437_184, 4_718_592, 9_437_184, 4_718_592, 9_437_184, 1_048_576];
        Assert.That(L2NetLayers.Of(1).Select(layer => layer.MultiplyAdds), Is.EqualTo(expected));
        Assert.That(L2NetLayers.MultiplyAdds, Is.EqualTo(39_092_224));
        Assert.That(L2NetLayers.Name(2), Is.EqualTo("layer 3, 3x3 32-64 /2 on 32x32"));
    }

    [Test]
    public void AConvolutionReadsTwoTensorsAndWritesOne()
    {
        foreach (Work work in new[]
        {
            Work.Forward(Layer3, Arithmetic.Bf16), Work.BackwardData(Layer3, Arithmetic.Bf16), Work.BackwardFilter(Layer3, Arithmetic.Bf16),
            Work.FusedForward(Layer3, Arithmetic.Bf16),
        })
        {
            Assert.That((work.Bytes, work.Operations, work.Arithmetic), Is.EqualTo((4 * (X + Y + W), Flop, Arithmetic.Bf16)));
        }
    }

    [Test]
    public void AFusedBackwardPassReadsTheMapsThatItNormalizes()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Work.FusedBackwardData(Layer3, sums: true, Arithmetic.Tf32).Bytes, Is.EqualTo(4 * (Y + Y + W + X + X)));
            Assert.That(Work.FusedBackwardData(Layer3, sums: false, Arithmetic.Tf32).Bytes, Is.EqualTo(4 * (Y + Y + W + X)));
            Assert.That(Work.FusedBackwardFilter(Layer3, Arithmetic.Tf32).Bytes, Is.EqualTo(4 * (X + Y + Y + W)));
        });
    }

    [Test]
    public void AValueCountsEachOfItsBytesAndOperations() =>
        Assert.That(Work.PerValue(10, 12, 3, "") is { Bytes: 120, Operations: 30, Arithmetic: Arithmetic.Float32 });

    [Test]
    public void LossesCountTheirProducts()
    {
        Assert.Multiple(() =>
        {
            // 3 pairs of 5 values: 6 x 5 floats in, as many out.
            Assert.That(Work.OfPairs(3, 5, 3) is { Bytes: 2 * 4 * 30, Operations: 3 * 2 * 3 * 3 * 5 });
            Assert.That(Work.OfPairs(3, 5, 1) is { Bytes: 4 * 30, Operations: 2 * 3 * 3 * 5 });
            Assert.That(Work.OfDimensions(3, 5) is { Bytes: 2 * 4 * 30, Operations: 2 * 2 * 2 * 3 * 5 * 5 });
        });
    }

    [Test]
    public void MatchingCountsMultiplyAddsOrWords()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Work.NearestEuclidean(10, 20, 128, Arithmetic.Float32) is { Bytes: (4 * 30 * 128) + 160, Operations: 2 * 10 * 20 * 128 });
            Assert.That(Work.NearestHamming(10, 20, 256) is { Bytes: (30 * 32) + 160, Operations: 10 * 20 * 8, Arithmetic: Arithmetic.Popcount });
        });
    }

    [Test]
    public void ANetworkCountsItsLayers()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Work.Describe(3, Arithmetic.Bf16) is { Bytes: (3 * (1024 + 512)) + (4 * 1_334_560), Operations: 3 * 2 * 39_092_224L });
            Assert.That(Work.TrainingStep(3, Arithmetic.Bf16).Operations, Is.EqualTo(3 * 2 * ((3 * 39_092_224L) - 294_912)));
        });
    }
}
