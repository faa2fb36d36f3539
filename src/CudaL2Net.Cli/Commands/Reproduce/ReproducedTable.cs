using System.Globalization;
using System.Text;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary>A row: measured beside published FPR95 in percent, by column.</summary>
/// <param name="Method">The method, as the paper names it.</param>
/// <param name="Preset">The preset trained; null for SIFT.</param>
/// <param name="IsBinary">Whether bits were compared.</param>
/// <param name="Measured">A number for each column; null where there is none.</param>
/// <param name="MeasuredMean">Their mean; null where one is missing.</param>
/// <param name="Published">The paper's, likewise; null where it gives none, or where the sets are not named as Brown's.</param>
/// <param name="PublishedMean">The mean that the paper gives.</param>
/// <param name="Failures">Why trainings failed.</param>
internal sealed record ReproducedRow(
    string Method,
    string? Preset,
    bool IsBinary,
    IReadOnlyList<double?> Measured,
    double? MeasuredMean,
    IReadOnlyList<double?> Published,
    double? PublishedMean,
    IReadOnlyList<string> Failures);

/// <summary>A paper's table made anew.</summary>
/// <param name="Table">Paper and table.</param>
/// <param name="Settings">How the trainings were made smaller, and what the data is, in words.</param>
/// <param name="DataNote">That the data is not Brown's own; null where it may be.</param>
/// <param name="Columns">"trained on -> tested on".</param>
/// <param name="Rows">The rows.</param>
/// <param name="Cells">What the rows were made of.</param>
internal sealed record ReproducedTable(
    string Table,
    IReadOnlyDictionary<string, string> Settings,
    string? DataNote,
    IReadOnlyList<string> Columns,
    IReadOnlyList<ReproducedRow> Rows,
    IReadOnlyList<GridCell> Cells)
{
    /// <summary>Puts a table together.</summary>
    /// <param name="table">Paper and table.</param>
    /// <param name="settings">How the trainings were made smaller.</param>
    /// <param name="dataNote">That the data is not Brown's own, or null.</param>
    /// <param name="rows">The paper's rows.</param>
    /// <param name="sets">The sets' names.</param>
    /// <param name="cells">The finished cells.</param>
    public static ReproducedTable Create(
        string table,
        IReadOnlyDictionary<string, string> settings,
        string? dataNote,
        IReadOnlyList<PublishedRow> rows,
        IReadOnlyList<string> sets,
        IReadOnlyList<GridCell> cells)
    {
        // The papers' order, where the sets are named as Brown's; else every pair of two sets.
        (string Train, string Test)[] columns = [.. sets.SelectMany(test => sets.Where(train => train != test).Select(train => (train, test)))];
        columns = [.. columns.OrderBy(column => PaperColumn(column) ?? int.MaxValue)];
        return new ReproducedTable(
            table,
            settings,
            dataNote,
            [.. columns.Select(column => $"{ShortName(column.Train)} -> {ShortName(column.Test)}")],
            [.. rows.Select(row => Row(row, columns, cells))],
            cells);
    }

    /// <summary>The table as CSV: <c>table,method,preset,column,measured,published</c>, FPR95 in percent.</summary>
    public string ToCsv()
    {
        var text = new StringBuilder("table,method,preset,column,measured_fpr95_percent,published_fpr95_percent\n");
        foreach (ReproducedRow row in Rows)
        {
            for (int i = 0; i <= Columns.Count; i++)
            {
                bool mean = i == Columns.Count;
                double? measured = mean ? row.MeasuredMean : row.Measured[i], published = mean ? row.PublishedMean : row.Published[i];
                text.AppendJoin(',', $"\"{Table}\"", $"\"{row.Method}\"", row.Preset, mean ? "mean" : Columns[i], Exact(measured), Exact(published)).Append('\n');
            }
        }

        return text.ToString();

        static string Exact(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? string.Empty;
    }

    /// <summary>The table for a terminal: measured, in brackets published.</summary>
    public Table ToConsole()
    {
        Table drawn = new Table().Border(TableBorder.Simple).AddColumn("FPR95 in % (published)");
        foreach (string column in Columns.Append("mean"))
        {
            drawn.AddColumn(Markup.Escape(column), cell => cell.RightAligned());
        }

        foreach (ReproducedRow row in Rows)
        {
            drawn.AddRow([
                Markup.Escape(row.Method),
                .. row.Measured.Append(row.MeasuredMean).Zip(row.Published.Append(row.PublishedMean), (measured, published) =>
                    $"{Percent(measured)} [grey]({Percent(published)})[/]"),
            ]);
        }

        return drawn;
    }

    /// <summary>The table as a page.</summary>
    public HtmlReport ToReport()
    {
        var report = new HtmlReport($"{Table}, trained and tested anew");
        foreach ((string name, string value) in Settings)
        {
            report.AddSummary($"{name}: {value}");
        }

        if (DataNote is not null)
        {
            report.AddNote($"{DataNote} The published numbers are for Brown's own sets: they stand here for orientation and do not compare.");
        }

        report.AddHeading("FPR95");
        report.AddTable(
            "FPR95 in %, lower is better, trained on -> tested on. In grey what the paper reports.",
            ["method", .. Columns.Append("mean").SelectMany(column => new[] { column, "paper" })],
            [.. Rows.Select(row => (ReportCell[])[
                row.Method,
                .. row.Measured.Append(row.MeasuredMean).Zip(row.Published.Append(row.PublishedMean), (measured, published) =>
                    new ReportCell[] { Cell(measured, false), Cell(published, true) }).SelectMany(pair => pair),
            ])]);
        foreach (string failure in Rows.SelectMany(row => row.Failures).Distinct())
        {
            report.AddText(failure);
        }

        if (Rows.Any(row => row.MeasuredMean is not null))
        {
            ReproducedRow[] drawn = [.. Rows.Where(row => row.MeasuredMean is not null)];
            (string, double[])[] bars = [("measured", [.. drawn.Select(row => row.MeasuredMean!.Value)])];

            // On other data than the paper's, bars side by side would invite a comparison that does not hold.
            bool comparable = DataNote is null && drawn.All(row => row.PublishedMean is not null);
            bars = comparable ? [.. bars, ("published", [.. drawn.Select(row => row.PublishedMean!.Value)])] : bars;
            report.AddImage(
                ResultPlots.Bars([.. drawn.Select(row => row.Method)], bars, "Mean FPR95", "FPR95 in %"),
                "The means of the columns: lower is better.",
                HtmlReport.ImageKind.Plot,
                wide: true);
        }

        report.AddHeading("Trainings");
        report.AddTable(
            "The cells of the grid: a training each, tested on all other sets.",
            ["preset", "trained on", "steps", "seconds", "tested on", "FPR95", "FPR95 of the bits", "AUC", "AP"],
            [.. Cells.SelectMany(cell => cell.Scores.Where(score => !score.IsBinary).Select(score => (ReportCell[])[
                cell.Preset,
                cell.TrainSet.Length > 0 ? cell.TrainSet : "-",
                ReportCell.Number(cell.Steps, "0"),
                ReportCell.Number(cell.Seconds, "0.0"),
                score.TestSet,
                ReportCell.Number(100 * score.Fpr95, "0.00'%'"),
                cell.Scores.FirstOrDefault(other => other.IsBinary && other.TestSet == score.TestSet) is { } bits
                    ? ReportCell.Number(100 * bits.Fpr95, "0.00'%'")
                    : "-",
                ReportCell.Number(score.Auc, "0.0000"),
                ReportCell.Number(score.AveragePrecision, "0.0000"),
            ]))]);
        return report;
    }

    private static ReproducedRow Row(PublishedRow row, (string Train, string Test)[] columns, IReadOnlyList<GridCell> cells)
    {
        double?[] measured = [.. columns.Select(column =>
        {
            GridCell? cell = cells.FirstOrDefault(cell => row.Preset is null ? cell.TrainSet.Length == 0 : (cell.Preset, cell.TrainSet) == (row.Preset, column.Train));
            return 100 * cell?.Scores.FirstOrDefault(score => score.TestSet == column.Test && score.IsBinary == row.IsBinary)?.Fpr95;
        })];
        double?[] published = [.. columns.Select(column => PublishedResults.FindSet(column.Train) is { } train && PublishedResults.FindSet(column.Test) is { } test
            ? row.Find(train, test)
            : null)];
        bool papers = columns.All(column => PaperColumn(column) is not null);
        string[] failures = [.. cells.Where(cell => cell.Preset == row.Preset && cell.Failure is not null)
            .Select(cell => $"{row.Method} on {cell.TrainSet} failed: {cell.Failure}")];
        return new ReproducedRow(
            row.Method, row.Preset, row.IsBinary, measured, measured.Contains(null) ? null : measured.Average(), published, papers ? row.Mean : null, failures);
    }

    private static int? PaperColumn((string Train, string Test) column)
    {
        if (PublishedResults.FindSet(column.Train) is not { } train || PublishedResults.FindSet(column.Test) is not { } test)
        {
            return null;
        }

        for (int i = 0; i < PublishedResults.Columns.Count; i++)
        {
            if (PublishedResults.Columns[i] == (train, test))
            {
                return i;
            }
        }

        return null;
    }

    private static string ShortName(string set) => PublishedResults.FindSet(set) is { } known ? PublishedResults.ShortName(known) : set;

    private static ReportCell Cell(double? percent, bool published) => new(Percent(percent), percent, Published: published);

    private static string Percent(double? percent) => percent?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";
}
