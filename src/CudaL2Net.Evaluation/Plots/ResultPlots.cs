using System.Globalization;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Matching;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>A named curve of one method.</summary>
/// <param name="Name">The method.</param>
/// <param name="Curve">Its measurements.</param>
public sealed record MethodCurve(string Name, RocCurve Curve);

/// <summary>A point of a training.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">The loss there.</param>
/// <param name="Fpr95">FPR95 on the validation set, 0 to 1, or null where it was not measured.</param>
public readonly record struct TrainingPoint(long Step, double Loss, double? Fpr95);

/// <summary>An operation under the roofs of a device.</summary>
/// <param name="Label">What it is.</param>
/// <param name="Series">Whose it is, or in which precision: points of a series look alike.</param>
/// <param name="Intensity">Operations for each byte that must be moved.</param>
/// <param name="Rate">Operations a second, in units of 1e12.</param>
public readonly record struct RooflinePoint(string Label, string Series, double Intensity, double Rate);

/// <summary>Results drawn as PNG images.</summary>
public static class ResultPlots
{
    private const int MostPoints = 2000;

    // Okabe and Ito's colours, told apart by the colour-blind too.
    private static readonly Color[] Colours = [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000" }.Select(Color.FromHex)];

    /// <summary>The colour of the series at a place.</summary>
    internal static Color ColourOf(int index) => Colours[index % Colours.Length];

    /// <summary>ROC curves: the share of matches found over the share of false ones.</summary>
    /// <param name="methods">At least one.</param>
    /// <param name="logarithmic">Whether the false positive rate runs from 0.01% to 100% in powers of ten.</param>
    /// <param name="title">The title.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No curve.</exception>
    public static byte[] Roc(
        IReadOnlyList<MethodCurve> methods, bool logarithmic, string title = "Verification: corresponding keypoints against random ones")
    {
        const double LowestDecade = -4;
        Plot plot = PlotLayout.New(title, "false positive rate", "true positive rate");
        Draw(
            plot,
            methods,
            point => logarithmic ? Math.Log10(Math.Max(point.FalsePositiveRate, 1e-4)) : point.FalsePositiveRate,
            point => point.Recall,
            method => $"{method.Name}: FPR95 {Percent(method.Curve.Fpr95)}");
        HorizontalLine at95 = plot.Add.HorizontalLine(0.95, 1, Colors.Gray, LinePattern.Dashed);
        at95.EnableAutoscale = false;
        if (logarithmic)
        {
            plot.Axes.Bottom.TickGenerator = new NumericManual([-4, -3, -2, -1, 0], ["0.01%", "0.1%", "1%", "10%", "100%"]);
            plot.Axes.SetLimits(LowestDecade, 0, 0, 1.01);
        }
        else
        {
            plot.Axes.SetLimits(0, 1, 0, 1.01);
        }

        return PlotLayout.Png(plot);
    }

    /// <summary>Precision over recall.</summary>
    /// <param name="methods">At least one.</param>
    /// <param name="title">The title.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No curve.</exception>
    public static byte[] PrecisionRecall(IReadOnlyList<MethodCurve> methods, string title = "Verification: precision and recall")
    {
        Plot plot = PlotLayout.New(title, "recall", "precision");
        Draw(plot, methods, point => point.Recall, point => point.Precision, method => $"{method.Name}: AP {Percent(method.Curve.AveragePrecision)}");
        double lowest = methods.Min(method => method.Curve.Points.Where(point => point.Recall <= 0.98).Min(point => point.Precision));
        plot.Axes.SetLimits(0, 1, Math.Min(0.9, lowest) - 0.02, 1.005);
        return PlotLayout.Png(plot);
    }

    /// <summary>Bars of an evaluation on image sequences.</summary>
    /// <param name="results">Its results.</param>
    /// <returns>A PNG file's bytes.</returns>
    public static byte[] Bars(SequenceResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] sequences = [.. results.Methods[0].Sequences.Keys];
        return Bars(
            [.. sequences, "all pairs"],
            [.. results.Methods.Select(method => (method.Name, (double[])[.. sequences.Select(name => method.Sequences[name]), method.Mean]))],
            "Keypoint matching: mean average precision");
    }

    /// <summary>Bars: one group for each sequence and one for the mean, one bar for each method.</summary>
    /// <param name="groups">The groups' names.</param>
    /// <param name="methods">The methods: a name and a value, not negative, for each group.</param>
    /// <param name="title">The title.</param>
    /// <param name="measure">What the values are.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">Nothing to draw, or a method has not one value for each group.</exception>
    public static byte[] Bars(
        IReadOnlyList<string> groups, IReadOnlyList<(string Name, double[] Values)> methods, string title, string measure = "mean average precision")
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(methods);
        if (groups.Count == 0 || methods.Count == 0 || methods.Any(method => method.Values.Length != groups.Count))
        {
            throw new ArgumentException($"bars need one value for each group and method; here are {groups.Count} groups and {methods.Count} methods");
        }

        Plot plot = PlotLayout.New(title, string.Empty, measure);
        double width = 0.8 / methods.Count;
        for (int m = 0; m < methods.Count; m++)
        {
            Color colour = ColourOf(m);
            double offset = (m - ((methods.Count - 1) / 2.0)) * width;
            BarPlot bars = plot.Add.Bars(methods[m].Values
                .Select((value, g) => new Bar { Position = g + offset, Value = value, Size = width * 0.92, FillColor = colour, LineWidth = 0 })
                .ToArray());
            bars.LegendText = methods[m].Name;
        }

        const int Width = 1000, Height = 430;
        int names = PlotLayout.NameGroups(plot, groups, Width);
        double highest = methods.Max(method => method.Values.Max());
        plot.Axes.SetLimits(-0.6, groups.Count - 0.4, 0, Math.Max(0.1, highest * 1.05));
        plot.Grid.XAxisStyle.IsVisible = false;
        return PlotLayout.Png(plot, Width, Height + names);
    }

    /// <summary>Loss and FPR95 over the steps of a training; FPR95 on the right axis.</summary>
    /// <param name="points">By rising step; at least one.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No point.</exception>
    public static byte[] Training(IReadOnlyList<TrainingPoint> points)
    {
        ArgumentNullException.ThrowIfNull(points);
        if (points.Count == 0)
        {
            throw new ArgumentException("a training curve needs at least one point");
        }

        Plot plot = PlotLayout.New("Training", "step", "loss");
        TrainingPoint[] losses = [.. points.Where(point => double.IsFinite(point.Loss))];
        Scatter loss = plot.Add.ScatterLine(losses.Select(point => (double)point.Step).ToArray(), losses.Select(point => point.Loss).ToArray());
        Style(loss, 0, "loss");
        TrainingPoint[] measured = [.. points.Where(point => point.Fpr95 is not null)];
        if (measured.Length > 0)
        {
            double[] percent = [.. measured.Select(point => 100 * point.Fpr95!.Value)];
            Scatter fpr95 = plot.Add.Scatter(measured.Select(point => (double)point.Step).ToArray(), percent);
            Style(fpr95, 1, "FPR95 on the validation set");
            fpr95.Axes.YAxis = plot.Axes.Right;
            plot.Axes.Right.Label.Text = "FPR95 in %";
            plot.Axes.Right.Label.Bold = false;
            plot.Axes.AutoScale();
            plot.Axes.SetLimitsY(0, Math.Max(1e-3, 1.15 * percent.Max()), plot.Axes.Right);
        }

        plot.Axes.SetLimitsY(0, Math.Max(1e-6, 1.15 * losses.Select(point => point.Loss).DefaultIfEmpty(1).Max()), plot.Axes.Left);
        return PlotLayout.Png(plot);
    }

    /// <summary>Histograms of the distances of matching and of other pairs.</summary>
    /// <param name="title">The method, and what it was measured on.</param>
    /// <param name="matches">Distances of matching pairs.</param>
    /// <param name="nonMatches">Distances of other pairs.</param>
    /// <param name="whole">Whether distances are whole numbers (Hamming): each has a bin of its own.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">One of them is empty.</exception>
    public static byte[] Distances(string title, IReadOnlyList<float> matches, IReadOnlyList<float> nonMatches, bool whole)
    {
        ArgumentNullException.ThrowIfNull(matches);
        ArgumentNullException.ThrowIfNull(nonMatches);
        if (matches.Count == 0 || nonMatches.Count == 0)
        {
            throw new ArgumentException($"histograms need distances of both kinds; here are {matches.Count} and {nonMatches.Count}");
        }

        const int Bins = 80;
        double low = Math.Min(matches.Min(), nonMatches.Min()), high = Math.Max(matches.Max(), nonMatches.Max());
        (low, high) = whole ? (low - 0.5, high + 0.5) : (low, Math.Max(high, low + 1e-6));
        int bins = whole ? (int)Math.Round(high - low) / Math.Max(1, ((int)Math.Round(high - low) + Bins - 1) / Bins) : Bins;
        Plot plot = PlotLayout.New(title, whole ? "Hamming distance" : "distance", "share of pairs");
        double[] first = Shares(matches, low, high, bins), second = Shares(nonMatches, low, high, bins);
        Fill(plot, low, high, first, 0, "matches");
        Fill(plot, low, high, second, 1, "non-matches");
        plot.Axes.SetLimits(low, high, 0, 1.18 * Math.Max(first.Max(), second.Max()));
        return PlotLayout.Png(plot, 560, 360);
    }

    /// <summary>The distribution of descriptors' values (L2-Net's figure 3 b): a line a method.</summary>
    /// <param name="statistics">Those of binary descriptors are passed over.</param>
    /// <returns>A PNG file's bytes, or null where all are binary.</returns>
    public static byte[]? Values(IReadOnlyList<DescriptorStatistics> statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        (DescriptorStatistics Of, int Index)[] floats = [.. statistics.Select((of, index) => (of, index)).Where(entry => entry.of.ValueShares.Count > 0)];
        if (floats.Length == 0)
        {
            return null;
        }

        Plot plot = PlotLayout.New("Values of the descriptors", "value", "density");
        foreach ((DescriptorStatistics of, int index) in floats)
        {
            int bins = of.ValueShares.Count;
            double width = (of.HighestValue - of.LowestValue) / bins;
            double[] centres = [.. Enumerable.Range(0, bins).Select(i => of.LowestValue + ((i + 0.5) * width))];
            Style(plot.Add.ScatterLine(centres, of.ValueShares.Select(share => share / width).ToArray()), index, of.Method);
        }

        // A method with a peak, as SIFT with its zeros, must not flatten the others.
        double[] peaks = [.. floats.Select(entry => entry.Of.ValueShares.Max() / ((entry.Of.HighestValue - entry.Of.LowestValue) / entry.Of.ValueShares.Count))];
        plot.Axes.AutoScale();
        plot.Axes.SetLimitsY(0, 1.2 * Math.Min(peaks.Max(), 4 * peaks.Min()), plot.Axes.Left);
        return PlotLayout.Png(plot);
    }

    /// <summary>The distribution of the bits' means (L2-Net's figure 3 c): how many dimensions are positive how often.</summary>
    /// <param name="statistics">At least one.</param>
    /// <returns>A PNG file's bytes.</returns>
    public static byte[] BitMeans(IReadOnlyList<DescriptorStatistics> statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        const int Bins = 25;
        Plot plot = PlotLayout.New("Means of the bits (value > 0)", "share of descriptors whose bit is set", "share of dimensions");
        for (int m = 0; m < statistics.Count; m++)
        {
            double[] shares = Shares([.. statistics[m].BitMeans.Select(mean => (float)mean)], 0, 1, Bins);
            double[] centres = [.. Enumerable.Range(0, Bins).Select(i => (i + 0.5) / Bins)];
            Style(plot.Add.ScatterLine(centres, shares), m, statistics[m].Method);
        }

        plot.Axes.AutoScale();
        plot.Axes.SetLimitsX(0, 1);
        plot.Axes.SetLimitsY(0, 1.18 * plot.Axes.GetLimits().Top, plot.Axes.Left);
        return PlotLayout.Png(plot);
    }

    /// <summary>The correlation matrix of a descriptor's dimensions, from -0.5 (blue) over 0 (white) to 0.5 (red); the diagonal is 1.</summary>
    /// <param name="statistics">The method's statistics.</param>
    /// <returns>A PNG file's bytes.</returns>
    public static byte[] Correlation(DescriptorStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        const double Strongest = 0.5;
        int dimension = statistics.Dimension;
        var cells = new double[dimension, dimension];
        for (int i = 0; i < dimension * dimension; i++)
        {
            cells[i / dimension, i % dimension] = statistics.Correlation[i];
        }

        string mean = statistics.MeanAbsoluteCorrelation.ToString("0.000", CultureInfo.InvariantCulture);
        Plot plot = PlotLayout.New($"{statistics.Method}: mean |r| {mean}", "dimension", "dimension");
        Heatmap map = plot.Add.Heatmap(cells);
        map.Colormap = new ScottPlot.Colormaps.CustomInterpolated([Color.FromHex("#0072B2"), Colors.White, Color.FromHex("#D55E00")]);
        map.ManualRange = new ScottPlot.Range(-Strongest, Strongest);
        map.Smooth = false;
        plot.Add.ColorBar(map);
        plot.Axes.SetLimits(-0.5, dimension - 0.5, dimension - 0.5, -0.5);
        plot.Grid.IsVisible = false;
        return PlotLayout.Png(plot, 520, 440);
    }

    /// <summary>Writes an image's bytes, as a whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="png">The bytes.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, byte[] png)
    {
        ArgumentNullException.ThrowIfNull(png);
        AtomicFile.Write(path, stream => stream.Write(png));
    }

    private static double[] Shares(IReadOnlyList<float> values, double low, double high, int bins)
    {
        var shares = new double[bins];
        foreach (float value in values)
        {
            shares[(int)Math.Clamp((value - low) / (high - low) * bins, 0, bins - 1)] += 1.0 / values.Count;
        }

        return shares;
    }

    /// <summary>Operations per second over operations per byte, both in powers of ten, under what a device can do: the slope is its bandwidth, each level the
    /// rate of a kind of arithmetic.</summary>
    /// <param name="points">At least one; intensities and rates above 0.</param>
    /// <param name="bandwidth">Bytes per second, in units of 1e12.</param>
    /// <param name="levels">Names and operations per second, in units of 1e12; at least one.</param>
    /// <param name="title">The title.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No point or no level.</exception>
    public static byte[] Roofline(IReadOnlyList<RooflinePoint> points, double bandwidth, IReadOnlyList<(string Name, double Rate)> levels, string title)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(levels);
        if (points.Count == 0 || levels.Count == 0)
        {
            throw new ArgumentException($"a roofline needs points and levels; here are {points.Count} and {levels.Count}");
        }

        return RooflinePlot.Draw(points, bandwidth, levels, title);
    }

    private static void Fill(Plot plot, double low, double high, double[] shares, int index, string label)
    {
        double width = (high - low) / shares.Length;
        BarPlot bars = plot.Add.Bars(shares
            .Select((share, i) => new Bar
            {
                Position = low + ((i + 0.5) * width),
                Value = share,
                Size = width,
                FillColor = Colours[index].WithAlpha(0.55),
                LineWidth = 0,
            })
            .ToArray());
        bars.LegendText = label;
    }

    private static void Draw(Plot plot, IReadOnlyList<MethodCurve> methods, Func<RocPoint, double> x, Func<RocPoint, double> y, Func<MethodCurve, string> label)
    {
        ArgumentNullException.ThrowIfNull(methods);
        if (methods.Count == 0)
        {
            throw new ArgumentException("a plot needs at least one curve");
        }

        for (int m = 0; m < methods.Count; m++)
        {
            RocPoint[] points = Thin([.. methods[m].Curve.Points], x, y);
            Style(plot.Add.ScatterLine(points.Select(x).ToArray(), points.Select(y).ToArray()), m, label(methods[m]));
        }
    }

    // Keeps a point wherever the curve has moved visibly since the last one kept.
    private static RocPoint[] Thin(RocPoint[] points, Func<RocPoint, double> x, Func<RocPoint, double> y)
    {
        if (points.Length <= MostPoints)
        {
            return points;
        }

        var kept = new List<RocPoint> { points[0] };
        foreach (RocPoint point in points)
        {
            if (Math.Abs(x(point) - x(kept[^1])) + Math.Abs(y(point) - y(kept[^1])) > 4.0 / MostPoints)
            {
                kept.Add(point);
            }
        }

        kept.Add(points[^1]);
        return [.. kept];
    }

    private static void Style(Scatter line, int index, string label)
    {
        line.Color = ColourOf(index);
        line.LineWidth = 2;
        line.LinePattern = index < Colours.Length ? LinePattern.Solid : LinePattern.Dashed;
        line.LegendText = label;
    }

    private static string Percent(double share) => (100 * share).ToString(share < 0.0995 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + "%";
}
