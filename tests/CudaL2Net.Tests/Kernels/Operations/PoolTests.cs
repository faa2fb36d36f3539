using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class PoolTests(string device) : OperationTests(device)
{
    /// <summary>Batch, height, width and channels; kernel, stride, padding, rounding up.</summary>
    private static readonly object[][] Sizes =
    [
        [3, 8, 8, 32, 2, 2, 0, false],
        [2, 7, 9, 5, 2, 2, 0, false],
        [2, 7, 9, 5, 2, 2, 0, true],
        [1, 10, 10, 33, 3, 2, 0, true],
        [2, 5, 6, 12, 3, 2, 1, false],
        [1, 6, 5, 13, 3, 2, 1, true],
        [2, 9, 7, 3, 2, 3, 0, false],
        [2, 9, 7, 3, 2, 3, 1, true],
        [1, 4, 3, 1, 1, 1, 0, false],
        [2, 24, 24, 7, 3, 3, 0, false],
        [2, 6, 6, 4, 5, 1, 2, false],
        [1, 2, 3, 8, 3, 2, 0, true],
        [3, 4, 4, 20, 4, 4, 0, false],
        [1, 5, 4, 36, 4, 3, 2, true],
        [1, 20, 20, 1, 17, 1, 8, false],
    ];

    private static IEnumerable<PoolGeometry> Geometries => Sizes.SelectMany(s => Enum.GetValues<PoolKind>().Select(kind =>
        new PoolOptions(kind, (int)s[4], (int)s[5], (int)s[6], (bool)s[7]).Over((int)s[0], (int)s[1], (int)s[2], (int)s[3])));

    [TestCaseSource(nameof(Geometries))]
    public void MatchesTheReference(object geometry)
    {
        var g = (PoolGeometry)geometry;
        float[] x = Samples.Gaussian(1, g.Batch * g.Height * g.Width * g.Channels);
        float[] dy = Samples.Gaussian(2, g.Batch * g.OutHeight * g.OutWidth * g.Channels);
        float[][] result = Run(g, x, dy);
        AssertClose(result[0], Plain.Pool(g, Samples.Widen(x)), g.Options.Kind == PoolKind.Max ? 0 : 1e-6);
        AssertClose(result[1], Plain.PoolGradient(g, Samples.Widen(x), Samples.Widen(dy)), 2e-6);
    }

    [TestCaseSource(nameof(Geometries))]
    public void TheReferenceGradientIsTheFiniteDifference(object geometry)
    {
        PoolGeometry g = (PoolGeometry)geometry with { Batch = 1 };
        g = g with { Channels = Math.Min(g.Channels, 3) };
        double[] x = Samples.Widen(Samples.Gaussian(3, g.Height * g.Width * g.Channels));
        double[] dy = Samples.Widen(Samples.Gaussian(4, g.OutHeight * g.OutWidth * g.Channels));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Pool(g, v)), x, Plain.PoolGradient(g, x, dy));
    }

    // As PyTorch's MaxPool2d counts them.
    [TestCase(32, 2, 2, 0, false, 16)]
    [TestCase(29, 2, 2, 0, false, 14)]
    [TestCase(29, 2, 2, 0, true, 15)]
    [TestCase(29, 3, 2, 1, false, 15)]
    [TestCase(7, 3, 2, 1, true, 4)]
    [TestCase(6, 2, 3, 1, true, 3)]
    [TestCase(5, 2, 4, 0, true, 2)]
    [TestCase(5, 2, 3, 1, true, 2)]
    [TestCase(2, 3, 2, 0, true, 1)]
    [TestCase(2, 3, 2, 0, false, 0)]
    [TestCase(1, 5, 1, 0, true, 0)]
    public void AsManyWindowsAsInPyTorch(int side, int kernel, int stride, int padding, bool up, int expected) =>
        Assert.That(new PoolOptions(PoolKind.Max, kernel, stride, padding, up).OutSide(side), Is.EqualTo(expected));

    [Test]
    public void TiesGoToTheFirstInRowOrder([Values(1, 8, 11)] int channels)
    {
        PoolGeometry g = new PoolOptions(PoolKind.Max, 3, 3).Over(1, 3, 3, channels);
        var x = new float[9 * channels];
        Array.Fill(x, 2f, 5 * channels, 4 * channels);
        var dy = new float[channels];
        Array.Fill(dy, 7f);
        float[] dx = Run(g, x, dy)[1];
        Assert.That(dx.Select((value, i) => value == (i / channels == 5 ? 7 : 0)), Is.All.True);
    }

    [Test]
    public void PaddingNeverWins([Values(1, 4, 5)] int channels)
    {
        // All values are far below the zeros of the padding, and the smallest there are.
        PoolGeometry g = new PoolOptions(PoolKind.Max, 3, 2, 1).Over(1, 4, 4, channels);
        float[] x = Array.ConvertAll(Samples.Gaussian(1, 16 * channels), v => v - 100);
        Array.Fill(x, float.NegativeInfinity, 0, channels);
        float[][] result = Run(g, x, Samples.Gaussian(2, 4 * channels));
        Assert.That(result[0], Is.All.LessThan(-90f));
        AssertClose(result[0], Plain.Pool(g, Samples.Widen(x)), 0);
    }

    [Test]
    public void ANaNIsNotHidden([Values(PoolKind.Max, PoolKind.Average, PoolKind.L2)] PoolKind kind, [Values(1, 12)] int channels, [Values(0, 1, 3)] int pixel)
    {
        float[] x = Samples.Gaussian(1, 4 * channels);
        x[pixel * channels] = float.NaN;
        float[] y = Run(new PoolOptions(kind, 2, 2).Over(1, 2, 2, channels), x, new float[channels])[0];
        Assert.That(y.Select(float.IsNaN), Is.EqualTo(y.Select((_, i) => i == 0)));
    }

    [Test]
    public void TheGradientOfL2IsZeroWhereAllIsZero()
    {
        PoolGeometry g = new PoolOptions(PoolKind.L2, 2, 1).Over(1, 3, 3, 9);
        float[] dx = Run(g, new float[81], Samples.Gaussian(1, 36))[1];
        Assert.That(dx, Is.All.Zero);
    }

    [Test]
    public void L2IsNotDividedByTheNumberOfPixels() =>
        Assert.That(Run(new PoolOptions(PoolKind.L2, 2, 2).Over(1, 2, 2, 1), [1, 2, 2, 4], [0])[0], Is.EqualTo(new[] { 5f }));

    [Test]
    public void PaddingCountsInTheAverageAndWhatIsBeyondItDoesNot()
    {
        // One row of ones, kernel 3, stride 2, padding 1, rounded up: windows of columns -1 to 1, 1 to 3, 3 to 4 (5 would be beyond the padding).
        PoolGeometry g = new PoolOptions(PoolKind.Average, 3, 2, 1, RoundUp: true).Over(1, 1, 4, 1);
        AssertClose(Run(g, [1, 1, 1, 1], [0, 0, 0])[0], [2 / 9.0, 3 / 9.0, 1 / 6.0], 1e-7);
    }

    [Test]
    public void AnImageDoesNotDependOnItsBatch([Values(PoolKind.Max, PoolKind.Average, PoolKind.L2)] PoolKind kind)
    {
        PoolGeometry g = new PoolOptions(kind, 3, 2, 1).Over(5, 7, 7, 13);
        float[] x = Samples.Gaussian(1, 5 * 49 * 13), dy = Samples.Gaussian(2, 5 * 16 * 13);
        float[][] all = Run(g, x, dy), one = Run(g with { Batch = 1 }, x[(3 * 49 * 13)..(4 * 49 * 13)], dy[(3 * 16 * 13)..(4 * 16 * 13)]);
        Assert.That(one[0], Is.EqualTo(all[0][(3 * 16 * 13)..(4 * 16 * 13)]));
        Assert.That(one[1], Is.EqualTo(all[1][(3 * 49 * 13)..(4 * 49 * 13)]));
    }

    [TestCase(0, 1, 0)]
    [TestCase(257, 1, 0)]
    [TestCase(2, 0, 0)]
    [TestCase(2, 1, -1)]
    [TestCase(3, 1, 2)]
    [TestCase(9, 1, 0)]
    public void WhatDoesNotFitIsRefused(int kernel, int stride, int padding) =>
        Assert.That(() => new PoolOptions(PoolKind.Max, kernel, stride, padding).Over(1, 8, 8, 3), Throws.ArgumentException.With.Message.Contains($"{kernel}"));

    private float[][] Run(PoolGeometry g, float[] x, float[] dy) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x), outputGradient = device.Upload<float>(dy);
        using Tensor<ushort> places = device.Allocate<ushort>(dy.Length);
        Tensor<float> y = device.Allocate<float>(dy.Length), dx = device.Allocate<float>(x.Length), alone = device.Allocate<float>(dy.Length);
        device.Kernels.PoolForward(g, input, y, g.Options.Kind == PoolKind.Max ? places : null);
        device.Kernels.PoolBackward(g, input, y, g.Options.Kind == PoolKind.Max ? places : null, outputGradient, dx);
        device.Kernels.PoolForward(g, input, alone, null);
        Assert.That(alone.ToArray(), Is.EqualTo(y.ToArray()), "without a backward pass");
        return [y, dx];
    });
}
