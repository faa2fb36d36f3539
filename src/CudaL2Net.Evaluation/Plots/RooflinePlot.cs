using System.Globalization;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>Draws a roofline. A point is named where its name hides no other point and no other name.</summary>
internal static class RooflinePlot
{
    private const int Width = 1100, Height = 720;
    private const float NameSize = 9, LevelSize = 11;

    /// <inheritdoc cref="ResultPlots.Roofline"/>
    public static byte[] Draw(IReadOnlyList<RooflinePoint> points, double bandwidth, IReadOnlyList<(string Name, double Rate)> levels, string title)
    {
        Plot plot = PlotLayout.New(title, "operations per byte", "operations per second");
        double highest = levels.Max(level => level.Rate), knee = highest / bandwidth;
        double left = Math.Floor(Math.Log10(Math.Min(points.Min(point => point.Intensity), knee) / 2));
        double right = Math.Ceiling(Math.Log10(2 * Math.Max(points.Max(point => point.Intensity), knee)));
        double bottom = Math.Floor(Math.Log10(points.Min(point => point.Rate)));
        double top = Math.Log10(Math.Max(highest, points.Max(point => point.Rate))) + 0.5;
        Coordinates[] places = [.. points.Select(point => new Coordinates(Math.Log10(point.Intensity), Math.Log10(point.Rate)))];
        var names = new Names(plot, places, new CoordinateRect(left, right, bottom, top));
        foreach ((string name, double rate) in levels)
        {
            double level = Math.Log10(rate);
            plot.Add.ScatterLine(new double[] { Math.Log10(rate / bandwidth), right }, new double[] { level, level }, Colors.Gray).LineWidth = 1.5f;
            names.Add($"{name}: {Rate(rate)}/s", new Coordinates(right, level), LevelSize, Colors.Gray, Alignment.LowerRight, Alignment.UpperRight);
        }

        Scatter slope = plot.Add.ScatterLine(
            new double[] { left, Math.Log10(knee) }, new double[] { left + Math.Log10(bandwidth), Math.Log10(highest) }, Colors.Gray);
        slope.LineWidth = 1.5f;
        slope.LegendText = $"memory: {Rate(bandwidth)}B/s";
        string[] series = [.. points.Select(point => point.Series).Distinct()];
        MarkerShape[] shapes = [MarkerShape.FilledCircle, MarkerShape.FilledSquare, MarkerShape.FilledTriangleUp, MarkerShape.FilledDiamond];
        for (int s = 0; s < series.Length; s++)
        {
            Coordinates[] own = [.. places.Where((_, i) => points[i].Series == series[s])];
            Scatter drawn = plot.Add.ScatterPoints(own.Select(place => place.X).ToArray(), own.Select(place => place.Y).ToArray());
            drawn.Color = ResultPlots.ColourOf(s);
            (drawn.MarkerShape, drawn.MarkerSize, drawn.LegendText) = (shapes[s % shapes.Length], 7, series[s]);
        }

        for (int i = 0; i < points.Count; i++)
        {
            names.Add(points[i].Label, places[i], NameSize, Colors.Black, Alignment.MiddleLeft, Alignment.MiddleRight, Alignment.LowerCenter, Alignment.UpperCenter);
        }

        plot.Axes.Bottom.TickGenerator = Decades((int)left, (int)right, 0);
        plot.Axes.Left.TickGenerator = Decades((int)bottom, (int)Math.Ceiling(top), 12);
        plot.Axes.SetLimits(left, right, bottom, top);
        return PlotLayout.Png(plot, Width, Height);
    }

    private static string Rate(double tera) => tera >= 1
        ? tera.ToString("0.0", CultureInfo.InvariantCulture) + " T"
        : (1000 * tera).ToString("0.0", CultureInfo.InvariantCulture) + " G";

    // Powers of ten, in thousands (k), millions (M) and so on of the unit's power.
    private static NumericManual Decades(int first, int last, int unit)
    {
        int[] powers = [.. Enumerable.Range(first, last - first + 1)];
        return new NumericManual([.. powers.Select(power => (double)power)], [.. powers.Select(power => Name(power + unit))]);
    }

    private static string Name(int power)
    {
        const string Prefixes = " kMGTPE";
        int prefix = power < 3 ? 0 : Math.Min(power / 3, Prefixes.Length - 1);
        return Math.Pow(10, power - (3 * prefix)).ToString("0.######", CultureInfo.InvariantCulture) + (prefix == 0 ? string.Empty : $" {Prefixes[prefix]}");
    }

    private sealed class Names(Plot plot, Coordinates[] points, CoordinateRect limits)
    {
        private const double Gap = 6, PointRadius = 4;
        private readonly double perX = (Width - 110) / limits.Width, perY = (Height - 110) / limits.Height;
        private readonly List<PixelRect> taken = [];

        // At the first of some sides of a place where there is room.
        public void Add(string text, Coordinates place, float size, Color colour, params ReadOnlySpan<Alignment> sides)
        {
            (double x, double y) = ToPixels(place);
            double width = PlotLayout.WidthOf(text, size), height = 1.3 * size;
            foreach (Alignment side in sides)
            {
                (double dx, double dy, double left, double top) = side switch
                {
                    Alignment.MiddleLeft => (Gap, 0.0, x + Gap, y - (height / 2)),
                    Alignment.MiddleRight => (-Gap, 0.0, x - Gap - width, y - (height / 2)),
                    Alignment.LowerCenter => (0.0, -Gap, x - (width / 2), y - Gap - height),
                    Alignment.UpperCenter => (0.0, Gap, x - (width / 2), y + Gap),
                    Alignment.LowerRight => (0.0, 0.0, x - width, y - height),
                    _ => (0.0, 0.0, x - width, y),
                };
                var box = new PixelRect((float)left, (float)(left + width), (float)(top + height), (float)top);
                bool inside = left >= 0 && left + width <= (limits.Width * perX) + 1 && top >= 0 && top + height <= limits.Height * perY;
                if (!inside || taken.Exists(other => Touch(box, other)) || Array.Exists(points, point => point != place && Touch(box, BoxOf(point))))
                {
                    continue;
                }

                taken.Add(box);
                Text drawn = plot.Add.Text(text, place);
                (drawn.LabelAlignment, drawn.LabelFontSize, drawn.LabelFontColor) = (side, size, colour);
                (drawn.OffsetX, drawn.OffsetY) = ((float)dx, (float)dy);
                return;
            }
        }

        private (double X, double Y) ToPixels(Coordinates place) => ((place.X - limits.Left) * perX, (limits.Top - place.Y) * perY);

        private PixelRect BoxOf(Coordinates point)
        {
            (double x, double y) = ToPixels(point);
            return new PixelRect((float)(x - PointRadius), (float)(x + PointRadius), (float)(y + PointRadius), (float)(y - PointRadius));
        }

        private static bool Touch(PixelRect a, PixelRect b) => a.Left < b.Right && b.Left < a.Right && a.Top < b.Bottom && b.Top < a.Bottom;
    }
}
