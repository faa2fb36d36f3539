using System.Globalization;
using CudaL2Net.Evaluation;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Sequences;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace CudaL2Net.Imaging.Plots;

/// <summary>A named curve of one method.</summary>
/// <param name="Name">The method.</param>
/// <param name="Curve">Its measurements.</param>
public sealed record MethodCurve(string Name, RocCurve Curve);

/// <summary>A point of a training.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">The loss there.</param>
/// <param name="Fpr95">FPR95 on the validation set, 0 to 1, or null where it was not measured.</param>
public readonly record struct TrainingPoint(long Step, double Loss, double? Fpr95);

/// <summary>Results drawn as PNG pictures.</summary>
public static class ResultPlots
{
    private const int MostPoints = 2000;

    // Okabe and Ito's colours, told apart by the colour-blind too.
    private static readonly Color[] Colours = [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000" }.Select(Color.FromHex)];

    /// <summary>ROC curves: the share of matches found over the share of false ones.</summary>
    /// <param name="methods">At least one.</param>
    /// <param name="logarithmic">Whether the false positive rate runs from 0.01% to 100% in powers of ten.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No curve.</exception>
    public static byte[] Roc(IReadOnlyList<MethodCurve> methods, bool logarithmic)
    {
        const double LowestDecade = -4;
        Plot plot = NewPlot("Verification: corresponding keypoints against random ones", "false positive rate", "true positive rate");
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

        plot.ShowLegend(Alignment.LowerRight);
        return Png(plot);
    }

    /// <summary>Precision over recall.</summary>
    /// <param name="methods">At least one.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">No curve.</exception>
    public static byte[] PrecisionRecall(IReadOnlyList<MethodCurve> methods)
    {
        Plot plot = NewPlot("Verification: precision and recall", "recall", "precision");
        Draw(plot, methods, point => point.Recall, point => point.Precision, method => $"{method.Name}: AP {Percent(method.Curve.AveragePrecision)}");
        double lowest = methods.Min(method => method.Curve.Points.Where(point => point.Recall <= 0.98).Min(point => point.Precision));
        plot.Axes.SetLimits(0, 1, Math.Min(0.9, lowest) - 0.02, 1.005);
        plot.ShowLegend(Alignment.LowerLeft);
        return Png(plot);
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
    /// <param name="methods">The methods: a name and a value from 0 to 1 for each group.</param>
    /// <param name="title">The title.</param>
    /// <returns>A PNG file's bytes.</returns>
    /// <exception cref="ArgumentException">Nothing to draw, or a method has not one value for each group.</exception>
    public static byte[] Bars(IReadOnlyList<string> groups, IReadOnlyList<(string Name, double[] Values)> methods, string title)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(methods);
        if (groups.Count == 0 || methods.Count == 0 || methods.Any(method => method.Values.Length != groups.Count))
        {
            throw new ArgumentException($"bars need one value for each group and method; here are {groups.Count} groups and {methods.Count} methods");
        }

        Plot plot = NewPlot(title, string.Empty, "mean average precision");
        double width = 0.8 / methods.Count;
        for (int m = 0; m < methods.Count; m++)
        {
            Color colour = Colours[m % Colours.Length];
            double offset = (m - ((methods.Count - 1) / 2.0)) * width;
            BarPlot bars = plot.Add.Bars(methods[m].Values
                .Select((value, g) => new Bar { Position = g + offset, Value = value, Size = width * 0.92, FillColor = colour, LineWidth = 0 })
                .ToArray());
            bars.LegendText = methods[m].Name;
        }

        plot.Axes.Bottom.TickGenerator = new NumericManual([.. Enumerable.Range(0, groups.Count).Select(g => (double)g)], [.. groups]);
        plot.Axes.Bottom.MajorTickStyle.Length = 0;
        double highest = methods.Max(method => method.Values.Max());
        plot.Axes.SetLimits(-0.6, groups.Count - 0.4, 0, Math.Max(0.1, highest * 1.25));
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Legend.Orientation = Orientation.Horizontal;
        plot.ShowLegend(Alignment.UpperCenter);
        return Png(plot, 1000, 460);
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

        Plot plot = NewPlot("Training", "step", "loss");
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
        plot.ShowLegend(Alignment.UpperRight);
        return Png(plot);
    }

    /// <summary>Writes a picture's bytes, as a whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="png">The bytes.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, byte[] png)
    {
        ArgumentNullException.ThrowIfNull(png);
        AtomicFile.Write(path, stream => stream.Write(png));
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
        line.Color = Colours[index % Colours.Length];
        line.LineWidth = 2;
        line.LinePattern = index < Colours.Length ? LinePattern.Solid : LinePattern.Dashed;
        line.LegendText = label;
    }

    private static Plot NewPlot(string title, string x, string y)
    {
        var plot = new Plot();
        plot.Font.Set(PlotFont.Family);
        plot.Axes.Right.MinimumSize = 34;
        plot.Title(title, 17);
        plot.XLabel(x, 15);
        plot.YLabel(y, 15);
        plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        plot.Axes.Bottom.TickLabelStyle.FontSize = plot.Axes.Left.TickLabelStyle.FontSize = 13;
        plot.Grid.MajorLineColor = Colors.Black.WithAlpha(0.1);
        plot.Legend.FontSize = 13;
        plot.Legend.OutlineColor = Colors.Transparent;
        plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.BackgroundColor = Colors.White.WithAlpha(0.85);
        return plot;
    }

    private static string Percent(double share) => (100 * share).ToString(share < 0.0995 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + "%";

    private static byte[] Png(Plot plot, int width = 760, int height = 500)
    {
        using Plot finished = plot;
        finished.ScaleFactor = 1.5;
        return finished.GetImageBytes(width * 3 / 2, height * 3 / 2, ImageFormat.Png);
    }
}
