using ScottPlot;
using ScottPlot.TickGenerators;
using SkiaSharp;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>What all plots have alike. Legends stand below the data, so that they hide nothing; texts that are too long are made to fit.</summary>
internal static class PlotLayout
{
    private const float TitleSize = 17, SmallestTitle = 11, TextSize = 13;
    private const int LegendRow = 24, Margin = 110;

    /// <summary>An empty plot.</summary>
    public static Plot New(string title, string x, string y)
    {
        var plot = new Plot();
        plot.Font.Set(PlotFont.Family);
        plot.Axes.Right.MinimumSize = 34;
        plot.Title(title, TitleSize);
        plot.XLabel(x, 15);
        plot.YLabel(y, 15);
        plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        plot.Axes.Bottom.TickLabelStyle.FontSize = plot.Axes.Left.TickLabelStyle.FontSize = TextSize;
        plot.Grid.MajorLineColor = Colors.Black.WithAlpha(0.1);
        plot.Legend.FontSize = TextSize;
        plot.Legend.OutlineColor = Colors.Transparent;
        plot.Legend.ShadowColor = Colors.Transparent;
        return plot;
    }

    /// <summary>Names below the horizontal axis, a place for each; turned where they would touch.</summary>
    /// <returns>The height that they take beyond that of one line.</returns>
    public static int NameGroups(Plot plot, IReadOnlyList<string> names, int width)
    {
        const double Turn = 35, Longest = 190;
        string[] shown = [.. names.Select(name => Fit(name, TextSize, Longest))];
        plot.Axes.Bottom.TickGenerator = new NumericManual([.. Enumerable.Range(0, names.Count).Select(place => (double)place)], shown);
        plot.Axes.Bottom.MajorTickStyle.Length = 0;
        double widest = shown.Max(name => WidthOf(name, TextSize));
        if (widest + 8 < (width - Margin) / (double)names.Count)
        {
            return 0;
        }

        plot.Axes.Bottom.TickLabelStyle.Rotation = (float)-Turn;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleRight;
        plot.Axes.Bottom.TickLabelStyle.OffsetY = 7;
        double height = widest * Math.Sin(Turn * Math.PI / 180);
        plot.Axes.Bottom.MinimumSize = (float)height + 20;
        plot.Axes.Left.MinimumSize = (float)Math.Min(widest * Math.Cos(Turn * Math.PI / 180), 150);
        return (int)height;
    }

    /// <summary>Draws a plot, its legend below it, and disposes of it.</summary>
    /// <param name="plot">The plot.</param>
    /// <param name="width">Pixels at a scale of 1; the image has half as many again.</param>
    /// <param name="height">The same, without the legend.</param>
    /// <returns>A PNG file's bytes.</returns>
    public static byte[] Png(Plot plot, int width = 760, int height = 500)
    {
        using Plot finished = plot;
        FitTitle(finished, width - (Margin / 2));
        int legend = AddLegend(finished, width);
        finished.ScaleFactor = 1.5;
        return finished.GetImageBytes(width * 3 / 2, (height + legend) * 3 / 2, ImageFormat.Png);
    }

    /// <summary>The width of a text in pixels.</summary>
    public static double WidthOf(string text, float size)
    {
        using SKTypeface typeface = SKTypeface.FromFamilyName(PlotFont.Family);
        using var font = new SKFont(typeface, size);
        return font.MeasureText(text);
    }

    /// <summary>A text that is at most so wide: what is too long loses its middle.</summary>
    public static string Fit(string text, float size, double width)
    {
        string shown = text;
        for (int kept = text.Length - 1; kept >= 8 && WidthOf(shown, size) > width; kept--)
        {
            shown = $"{text[..(kept / 2)]}...{text[^((kept + 1) / 2)..]}";
        }

        return shown;
    }

    private static void FitTitle(Plot plot, double width)
    {
        string title = plot.Axes.Title.Label.Text;
        float size = (float)Math.Clamp(TitleSize * width / Math.Max(1, WidthOf(title, TitleSize)), SmallestTitle, TitleSize);
        plot.Axes.Title.Label.FontSize = size;
        plot.Axes.Title.Label.Text = Fit(title, size, width);
    }

    // One row where it fits, else a row for each entry.
    private static int AddLegend(Plot plot, int width)
    {
        const int Symbol = 70;
        LegendItem[] items = [.. plot.GetPlottables().SelectMany(part => part.LegendItems).Where(item => !string.IsNullOrEmpty(item.LabelText))];
        if (items.Length == 0)
        {
            return 0;
        }

        foreach (IHasLegendText part in plot.GetPlottables().OfType<IHasLegendText>().Where(part => !string.IsNullOrEmpty(part.LegendText)))
        {
            part.LegendText = Fit(part.LegendText, TextSize, width - Margin);
        }

        bool row = items.Sum(item => WidthOf(item.LabelText, TextSize) + Symbol) < width - Margin;
        plot.Legend.Orientation = row ? Orientation.Horizontal : Orientation.Vertical;
        plot.ShowLegend(Edge.Bottom);
        return (row ? 1 : items.Length) * LegendRow;
    }
}
