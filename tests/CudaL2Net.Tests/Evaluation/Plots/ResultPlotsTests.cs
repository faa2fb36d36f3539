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

    [TestCase(1)]
    [TestCase(8)]
    public void NoPointIsHiddenByLegendOrNames(int series)
    {
        RooflinePoint[] points =
        [
            .. from x in Enumerable.Range(0, 13)
               from y in Enumerable.Range(0, 10)
               select new RooflinePoint(
                   $"operation {x} {y}", x == 12 && y == 0 ? "last" : $"series {(x + y) % series}", Math.Pow(10, 0.1 + (0.3 * x)), Math.Pow(10, -2.9 + (0.3 * y))),
        ];
        byte[] png = ResultPlots.Roofline(points, 0.5, [("float32", 2), ("bf16", 2.1)], "test");
        string[] all = [.. points.Select(point => point.Series).Distinct()];
        for (int s = 0; s < Math.Min(all.Length, 6); s++)
        {
            int expected = all.Where((_, i) => i % 7 == s).Sum(name => points.Count(point => point.Series == name) + 1);
            Assert.That(Spots(png, ResultPlots.ColourOf(s)), Is.EqualTo(expected), $"{all[s]}: its points and its mark in the legend");
        }
    }

    [Test]
    public void TextsThatAreTooLongLoseTheirMiddle()
    {
        string path = string.Concat(Enumerable.Repeat("/a/long/path", 30)) + "/model.safetensors";
        string shown = PlotLayout.Fit("start" + path, 13, 300);
        Assert.That(PlotLayout.WidthOf(shown, 13), Is.InRange(250, 300));
        Assert.That(shown, Does.StartWith("start").And.EndWith("model.safetensors").And.Contain("..."));
        Assert.That(PlotLayout.Fit("short", 13, 300), Is.EqualTo("short"));

        // Names under bars, in the legend and in the title: none of them makes the image wider, all bars are there.
        string[] groups = [.. Enumerable.Range(0, 12).Select(i => $"{i}{path}")];
        byte[] png = ResultPlots.Bars(groups, [(path, [.. groups.Select(_ => 0.5)])], path);
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Color);
        Assert.That(drawn.Width, Is.EqualTo(1500));
        Assert.That(Spots(png, ResultPlots.ColourOf(0)), Is.EqualTo(12 + 1), "bars and the mark in the legend");
    }

    [Test]
    public void NothingToDrawIsRefused()
    {
        Assert.That(() => ResultPlots.Roc([], true), Throws.ArgumentException);
        Assert.That(() => ResultPlots.PrecisionRecall([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Training([]), Throws.ArgumentException);
        Assert.That(() => ResultPlots.Bars(["a", "b"], [("SIFT", [0.2])], "test"), Throws.ArgumentException);
    }

    // Parts of the image that have a colour and are not just its edge.
    private static int Spots(byte[] png, ScottPlot.Color colour)
    {
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Color), mask = new(), labels = new(), stats = new(), centres = new();
        Cv2.InRange(drawn, new Scalar(colour.B, colour.G, colour.R), new Scalar(colour.B, colour.G, colour.R), mask);
        int count = Cv2.ConnectedComponentsWithStats(mask, labels, stats, centres);
        return Enumerable.Range(1, count - 1).Count(i => stats.At<int>(i, (int)ConnectedComponentsTypes.Area) > 12);
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
