using CudaL2Net.Evaluation;
using CudaL2Net.Imaging.Plots;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Plots;

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

    [Test]
    public void NothingToDrawIsRefused()
    {
        Assert.That(() => ResultPlots.Roc([], true), Throws.ArgumentException);
        Assert.That(() => ResultPlots.PrecisionRecall([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Training([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Bars(["a", "b"], [("SIFT", [0.2])], "test"), Throws.ArgumentException);
    }

    private static int Pixels(byte[] png, int red, int green, int blue)
    {
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Color), mask = new();
        var colour = new Scalar(blue, green, red);
        Cv2.InRange(drawn, colour, colour, mask);
        return Cv2.CountNonZero(mask);
    }
}
