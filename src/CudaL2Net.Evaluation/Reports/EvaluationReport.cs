using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Results;

namespace CudaL2Net.Evaluation.Reports;

/// <summary>Turns what an evaluation found into a page: tables, published numbers, curves, bars, histograms, statistics of descriptors and galleries.</summary>
public static class EvaluationReport
{
    /// <summary>The setting of a run on Brown's data that names the set trained on.</summary>
    public const string TrainSet = "train set";

    private const int MostColumns = 12;

    /// <summary>Makes the page.</summary>
    /// <param name="run">What was found.</param>
    /// <param name="title">The page's title; null for the benchmark's.</param>
    public static HtmlReport Create(EvaluationRun run, string? title = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        var report = new HtmlReport(title ?? Title(run.Benchmark));
        report.AddSummary($"data: {run.Data}");
        foreach ((string name, string value) in run.Settings.Where(setting => setting.Key != EvaluationRun.DataNote))
        {
            report.AddSummary($"{name}: {value}");
        }

        report.AddSummary("methods: " + string.Join(", ", run.Methods.Select(method =>
            $"{method.Name} ({(method.Dimension == 0 ? "scores pairs" : $"{method.Dimension} {(method.IsBinary ? "bits" : "values")}")})")));
        if (run.Settings.GetValueOrDefault(EvaluationRun.DataNote) is { } note)
        {
            report.AddNote(note);
        }

        report.AddHeading("Scores");
        AddTables(report, run);
        AddPublished(report, run);
        AddBars(report, run);
        AddImages(report, run);
        AddCurves(report, run);
        AddDescriptors(report, run);
        AddGalleries(report, run);
        return report;
    }

    /// <summary>Adds a table of scores: a row a method, or, where there are many columns, a row a column.</summary>
    /// <param name="report">The page.</param>
    /// <param name="table">The scores.</param>
    public static void AddTable(HtmlReport report, ScoreTable table)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(table);
        string caption = $"{table.Title}. {char.ToUpperInvariant(table.Measure[0])}{table.Measure[1..]}; {(table.HigherIsBetter ? "higher" : "lower")} is better.";
        int columns = table.Columns.Count;
        bool tall = columns > MostColumns;
        if (tall)
        {
            report.AddTable(caption, ["", .. table.Rows.Select(row => row.Method)], [.. Enumerable.Range(0, columns).Select(c =>
                (ReportCell[])[table.Columns[c], .. table.Rows.Select(row => Cell(table, row.Values[c], c))])]);
        }
        else
        {
            report.AddTable(caption, ["method", .. table.Columns], [.. table.Rows.Select(row =>
                (ReportCell[])[row.Method, .. row.Values.Select((value, c) => Cell(table, value, c))])]);
        }
    }

    private static string Title(string benchmark) => benchmark switch
    {
        "brown" => "Brown / PhotoTour: telling matching patches from others",
        "hpatches" => "HPatches: verification, matching, retrieval",
        "oxford" => "Oxford affine-covariant sequences",
        "w1bs" => "W1BS: wide baselines of one kind",
        "sequences" => "Keypoint matching on image sequences",
        _ => benchmark,
    };

    private static ReportCell Cell(ScoreTable table, double? value, int column) =>
        new(table.Format(value), value, Strong: table.Rows.Count > 1 && value is not null && value == table.Best(column));

    private static void AddTables(HtmlReport report, EvaluationRun run)
    {
        foreach (ScoreTable table in run.Tables)
        {
            bool folded = table.IsDetail || table.Columns.Count > 2 * MostColumns;
            if (folded)
            {
                report.BeginFolded(table.Title);
            }

            AddTable(report, table);
            if (folded)
            {
                report.EndFolded();
            }
        }
    }

    // The papers' numbers for the sets that were tested, in grey beside ours: a row a test set.
    private static void AddPublished(HtmlReport report, EvaluationRun run)
    {
        ScoreTable? scores = run.Tables.FirstOrDefault(table => table.Title == "FPR95");
        if (run.Benchmark != "brown" || scores is null)
        {
            return;
        }

        (int Column, BrownSet Test)[] tests = [.. scores.Columns
            .Select((name, column) => (column, set: PublishedResults.FindSet(name)))
            .Where(entry => entry.set is not null)
            .Select(entry => (entry.column, entry.set!.Value))];
        if (tests.Length == 0)
        {
            return;
        }

        BrownSet? train = run.Settings.TryGetValue(TrainSet, out string? name) ? PublishedResults.FindSet(name) : null;
        PublishedRow[] published = [.. PublishedResults.Brown.Where(row => row.Fpr95.Count > 0)];
        report.AddTable(
            "FPR95 in %, beside what the papers report on Brown's own sets (grey; L2-Net's table 1 and RAL-Net's table 1). "
                + (train is { } from ? $"Trained on {from}." : "The papers' two numbers are for training on the first and the second of the other sets, by name."),
            ["tested on", .. scores.Rows.Select(row => row.Method), .. published.Select(row => row.Method)],
            [.. tests.Select(test => (ReportCell[])[
                test.Test.ToString(),
                .. scores.Rows.Select(row => row.Values[test.Column] is { } value ? ReportCell.Number(100 * value, "0.00") : new ReportCell("-")),
                .. published.Select(row => Published(row, train, test.Test)),
            ])]);
    }

    private static ReportCell Published(PublishedRow row, BrownSet? train, BrownSet test)
    {
        double[] values = [.. Enum.GetValues<BrownSet>().Where(set => train is null || set == train).Select(set => row.Find(set, test)).OfType<double>()];
        return new ReportCell(
            values.Length == 0 ? "-" : string.Join(" / ", values.Distinct().Select(value => ReportCell.Number(value, "0.00").Text)),
            values.Length == 0 ? null : values.Average(),
            Published: true);
    }

    private static void AddBars(HtmlReport report, EvaluationRun run)
    {
        // Bars of scores that all lie near 1, as on Brown's data, would tell nothing.
        const int MostPlots = 12;
        ScoreTable[] drawn = run.Benchmark == "brown" ? [] : [.. run.Tables];
        foreach (ScoreTable table in drawn.Where(table => table is { HigherIsBetter: true, Unit: not ScoreUnit.Count, Columns.Count: > 1 }))
        {
            int[][] parts = [.. Enumerable.Range(0, table.Columns.Count).Chunk(MostColumns)];
            bool folded = table.IsDetail || parts.Length > 1;
            if (folded)
            {
                report.BeginFolded($"{table.Title}: bars");
            }

            foreach (int[] columns in parts.Take(MostPlots))
            {
                report.AddImage(
                    ResultPlots.Bars(
                        [.. columns.Select(column => table.Columns[column])],
                        [.. table.Rows.Select(row => (row.Method, columns.Select(column => row.Values[column] ?? 0).ToArray()))],
                        table.Title,
                        measure: string.Empty),
                    $"{table.Title}: higher is better.",
                    HtmlReport.ImageKind.Plot,
                    wide: true);
            }

            if (folded)
            {
                report.EndFolded();
            }
        }
    }

    private static void AddImages(HtmlReport report, EvaluationRun run)
    {
        if (run.Images.Count == 0)
        {
            return;
        }

        report.AddHeading("Matched images");
        foreach (ReportImage image in run.Images)
        {
            report.AddImage(image.Png, image.Caption, wide: true);
        }
    }

    private static void AddCurves(HtmlReport report, EvaluationRun run)
    {
        if (run.Curves.Count == 0)
        {
            return;
        }

        report.AddHeading("ROC and precision-recall curves");
        foreach (IGrouping<string, VerificationCurve> set in run.Curves.GroupBy(curve => curve.DataSet))
        {
            MethodCurve[] curves = [.. set.Select(curve => new MethodCurve(curve.Method, curve.Roc))];
            report.AddImage(
                ResultPlots.Roc(curves, logarithmic: true, $"{set.Key}: ROC"),
                $"{set.Key}: matches found over non-matches taken for matches; further up and left is better; dashed: 95%.",
                HtmlReport.ImageKind.Plot);
            report.AddImage(
                ResultPlots.PrecisionRecall(curves, $"{set.Key}: precision and recall"),
                $"{set.Key}: precision over recall; further up and right is better.",
                HtmlReport.ImageKind.Plot);
        }

        VerificationCurve[] histograms = [.. run.Curves.Where(curve => curve.MatchDistances.Length > 0 && curve.NonMatchDistances.Length > 0)];
        if (histograms.Length > 0)
        {
            report.AddHeading("Distances");
            report.AddText("Matching pairs and others; where the two overlap, the method errs.");
        }

        foreach (VerificationCurve curve in histograms)
        {
            bool bits = run.Methods.Any(method => method.Name == curve.Method && method.IsBinary);
            report.AddImage(
                ResultPlots.Distances($"{curve.Method} on {curve.DataSet}", curve.MatchDistances, curve.NonMatchDistances, bits),
                FormattableString.Invariant($"{curve.Method} on {curve.DataSet}: FPR95 {100 * curve.Roc.Fpr95:0.00}%."),
                HtmlReport.ImageKind.SmallPlot);
        }
    }

    private static void AddDescriptors(HtmlReport report, EvaluationRun run)
    {
        if (run.Descriptors.Count == 0)
        {
            return;
        }

        report.AddHeading("Descriptors");
        report.AddTable(
            "Statistics of the descriptors. A bit (value > 0) that is set for half of the patches tells most; dimensions that do not correlate tell different things.",
            ["method", "descriptors", "dimension", "mean |r| of dimensions", "mean of bits", "bits set for 40% to 60%"],
            [.. run.Descriptors.Select(of => (ReportCell[])[
                of.Method,
                ReportCell.Number(of.Count, "0"),
                ReportCell.Number(of.Dimension, "0"),
                ReportCell.Number(of.MeanAbsoluteCorrelation, "0.000"),
                ReportCell.Number(of.BitMeans.Average(), "0.000"),
                ReportCell.Number(100.0 * of.BitMeans.Count(mean => mean is >= 0.4 and <= 0.6) / of.Dimension, "0'%'"),
            ])]);
        if (ResultPlots.Values(run.Descriptors) is { } values)
        {
            report.AddImage(values, "The values of the descriptors, scaled to unit length, all dimensions together (as L2-Net's figure 3 b).", HtmlReport.ImageKind.Plot);
        }

        report.AddImage(
            ResultPlots.BitMeans(run.Descriptors), "How many dimensions are positive how often (as L2-Net's figure 3 c).", HtmlReport.ImageKind.Plot);
        foreach (DescriptorStatistics of in run.Descriptors.Where(of => of.Dimension is > 1 and <= 512))
        {
            report.AddImage(
                ResultPlots.Correlation(of), $"{of.Method}: correlation of the dimensions, from -0.5 to 0.5.", HtmlReport.ImageKind.SmallPlot);
        }
    }

    private static void AddGalleries(HtmlReport report, EvaluationRun run)
    {
        if (run.Galleries.Count == 0)
        {
            return;
        }

        report.AddHeading("Where the methods err");
        foreach (PairGallery gallery in run.Galleries)
        {
            Add(gallery.HardestMatches, "the most distant matching pairs");
            Add(gallery.ClosestNonMatches, "the closest pairs that do not match");

            void Add(IReadOnlyList<PairExample> pairs, string what)
            {
                if (pairs.Count > 0)
                {
                    report.AddImage(PatchGallery.DrawPairs(pairs, gallery.Side), $"{gallery.Method} on {gallery.DataSet}: {what}, with their distances.");
                }
            }
        }
    }
}
