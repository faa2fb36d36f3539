using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Tests.Evaluation.Plots;

public sealed class ResultPlotsTests
{
    private static readonly RocCurve Good = RocCurve.FromDistances(
        [.. Enumerable.Range(0, 5000).Select(i => i % 2 == 0 ? i / 4f : i)], [.. Enumerable.Range(0, 5000).Select(i => i % 2 == 0)]);

    private static readonly RocCurve Perfect = RocCurve.FromDistances([1, 2], [true, false]);

    [Test]
    public void CurvesAreDrawnInTheMethodsColours()
    {
        MethodCurve[] methods = [new("good", Good), new("perfect", Perfect)];
        foreach (byte[] png in new[] { ResultPlots.Roc(methods, false), ResultPlots.Roc(methods, true), ResultPlots.PrecisionRecall(methods) })
        {
            Assert.That(Pixels(png, 0x00, 0x72, 0xB2), Is.GreaterThan(500), "the first method's curve");
            Assert.That(Pixels(png, 0xD5, 0x5E, 0x00), Is.GreaterThan(100), "the second method's curve");
        }
    }

    [Test]
    public void BarsAreAsHighAsTheirValues()
    {
        byte[] png = ResultPlots.Bars(["graf", "wall"], [("SIFT", [0.2, 0.4]), ("network", [0.4, 0.8])], "test");
        int first = Pixels(png, 0x00, 0x72, 0xB2), second = Pixels(png, 0xD5, 0x5E, 0x00);
        Assert.That(second / (double)first, Is.EqualTo(2).Within(0.05));
    }

    [Test]
    public void TrainingShowsLossAndValidation()
    {
        TrainingPoint[] points =
            [.. Enumerable.Range(0, 100).Select(i => new TrainingPoint(i, i == 3 ? double.NaN : 1.0 / (i + 1), i % 20 == 0 ? 0.1 / (i + 1) : null))];
        byte[] png = ResultPlots.Training(points);
        Assert.That(Pixels(png, 0x00, 0x72, 0xB2), Is.GreaterThan(500));
        Assert.That(Pixels(png, 0xD5, 0x5E, 0x00), Is.GreaterThan(500));
        Assert.That(Pixels(ResultPlots.Training(points[1..3]), 0xD5, 0x5E, 0x00), Is.Zero, "nothing validated");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void DistancesOfBothKindsAreDrawn(bool whole)
    {
        float[] matches = [.. Enumerable.Range(0, 400).Select(i => (float)(i % 20))];
        byte[] png = ResultPlots.Distances("test", matches, [.. matches.Select(distance => distance + 30)], whole);

        // Each kind fills the same area: its colour at 55% on white.
        int first = Pixels(png, 0x73, 0xB2, 0xD4, 3), second = Pixels(png, 0xE8, 0xA7, 0x73, 3);
        Assert.That(first, Is.GreaterThan(3000));
        Assert.That(second / (double)first, Is.EqualTo(1).Within(0.15));
        Assert.That(() => ResultPlots.Distances("test", matches, [], whole), Throws.ArgumentException);
    }

    [Test]
    public void StatisticsOfDescriptorsAreDrawn()
    {
        float[] values = [.. Enumerable.Range(0, 400).Select(i => (float)Math.Sin(i * i))];
        var floats = DescriptorStatistics.Measure("floats", DescriptorSet.FromValues(values, 8));
        var bits = DescriptorStatistics.Measure("bits", DescriptorSet.FromBits([.. values.Select(value => (byte)(100 * (value + 1)))], 8));
        Assert.That(Pixels(ResultPlots.Values([bits, floats])!, 0xD5, 0x5E, 0x00), Is.GreaterThan(500), "each method has its colour in all plots");
        Assert.That(ResultPlots.Values([bits]), Is.Null);
        Assert.That(Pixels(ResultPlots.BitMeans([floats, bits]), 0x00, 0x72, 0xB2), Is.GreaterThan(500));
        int diagonal = Pixels(ResultPlots.Correlation(floats), 0xD5, 0x5E, 0x00);
        Assert.That(diagonal, Is.GreaterThan(8 * 40 * 40));
    }

    [Test]
    public void NothingToDrawIsRefused()
    {
        Assert.That(() => ResultPlots.Roc([], true), Throws.ArgumentException);
        Assert.That(() => ResultPlots.PrecisionRecall([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Training([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Bars(["a", "b"], [("SIFT", [0.2])], "test"), Throws.ArgumentException);
    }

    private static int Pixels(byte[] png, int red, int green, int blue, int tolerance = 0)
    {
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Color), mask = new();
        Cv2.InRange(
            drawn,
            new Scalar(blue - tolerance, green - tolerance, red - tolerance),
            new Scalar(blue + tolerance, green + tolerance, red + tolerance),
            mask);
        return Cv2.CountNonZero(mask);
    }
}
