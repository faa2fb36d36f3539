using System.CommandLine;
using System.Text;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Evaluation.Reports;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using Spectre.Console;

namespace CudaL2Net.Cli.Runs;

/// <summary>Writes what an evaluation found: tables for people, or JSON, and CSV beside it.</summary>
internal static class RunOutput
{
    /// <summary>All scores as CSV.</summary>
    public static readonly Option<string?> Csv = new("--csv")
    {
        Description = "Also write all scores to this file, one line per score: benchmark,table,measure,method,column,value.",
        HelpName = "FILE",
    };

    /// <summary>A page with everything.</summary>
    public static readonly Option<string?> Report = new("--report")
    {
        Description = "Also write a self-contained page with tables, plots and galleries, and the scores beside it: FILE.html, FILE.json, FILE.csv.",
        HelpName = "FILE.html",
    };

    /// <summary>The pairs of each kind that a gallery shows.</summary>
    public const int GalleryPairs = 18;

    private const int MostColumns = 12;

    /// <summary>Whether the line asks for a page.</summary>
    /// <exception cref="UsageException">Its name does not end in .html.</exception>
    public static bool WantsReport(ParseResult line) => line.GetValue(Report) switch
    {
        null => false,
        var path when Path.GetExtension(path).ToLowerInvariant() is ".html" or ".htm" => true,
        var path => throw new UsageException($"--report {path}: the page's name must end in .html"),
    };

    /// <summary>The files that a page of this name is written to.</summary>
    public static IEnumerable<OutputPlace> PlacesOf(string report) =>
        new[] { report, Path.ChangeExtension(report, ".json"), Path.ChangeExtension(report, ".csv") }.Select(OutputPlace.FileAndFolder);

    /// <summary>Writes a run as the line asks for it.</summary>
    /// <param name="terminal">Where results go.</param>
    /// <param name="line">The command line.</param>
    /// <param name="run">What was found.</param>
    /// <param name="methods">The methods, whose descriptors' statistics the report shows.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(Terminal terminal, ParseResult line, EvaluationRun run, Methods? methods = null)
    {
        if (WantsReport(line) && methods is not null)
        {
            run = run with { Descriptors = methods.Statistics() };
        }

        Show(terminal, run);
        WriteCsv(line, run);
        WriteReport(terminal, line, run);
    }

    /// <summary>Writes the scores of a run where the line asks for them.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void WriteCsv(ParseResult line, EvaluationRun run)
    {
        if (line.GetValue(Csv) is { } path)
        {
            WriteText(path, run.ToCsv());
        }
    }

    /// <summary>Writes the page of a run, and the scores beside it, where the line asks for one.</summary>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void WriteReport(Terminal terminal, ParseResult line, EvaluationRun run)
    {
        if (WantsReport(line))
        {
            WriteReport(line.GetValue(Report)!, EvaluationReport.Create(run), run, run.ToCsv());
            terminal.Say($"the report is {Path.GetFullPath(line.GetValue(Report)!)}");
        }
    }

    /// <summary>Shows a run: tables for people, or JSON.</summary>
    public static void Show(Terminal terminal, EvaluationRun run) => terminal.Result(run, console =>
    {
        foreach (ScoreTable table in run.Tables.Where(table => !table.IsDetail))
        {
            console.Write(ToTable(table));
            console.WriteLine(table.Measure);
            console.WriteLine();
        }

        foreach ((string key, string value) in run.Settings)
        {
            console.WriteLine($"{key}: {value}");
        }

        if (run.Tables.Any(table => table.IsDetail))
        {
            console.WriteLine("more tables, as scores by sequence: --csv FILE or --json");
        }
    });

    /// <summary>Writes a page, and the result beside it as JSON and CSV.</summary>
    /// <param name="path">The page; the other two have its name with <c>.json</c> and <c>.csv</c>.</param>
    /// <param name="report">The page.</param>
    /// <param name="result">What becomes JSON.</param>
    /// <param name="csv">What becomes CSV.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void WriteReport(string path, HtmlReport report, object result, string csv)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
        {
            Directory.CreateDirectory(folder);
        }

        report.Write(path);
        WriteText(Path.ChangeExtension(path, ".json"), JsonText.Of(result) + "\n");
        WriteText(Path.ChangeExtension(path, ".csv"), csv);
    }

    private static void WriteText(string path, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }

    /// <summary>A table for people, the best of each column in bold; of more than twelve columns only the last one is shown.</summary>
    public static Table ToTable(ScoreTable scores)
    {
        int[] shown = [.. Enumerable.Range(0, scores.Columns.Count)];
        shown = shown.Length <= MostColumns ? shown : shown[^1..];
        Table table = new Table().Border(TableBorder.Simple).AddColumn(Markup.Escape(scores.Title));
        foreach (int column in shown)
        {
            table.AddColumn(Markup.Escape(scores.Columns[column]), cell => cell.RightAligned());
        }

        foreach (ScoreRow row in scores.Rows)
        {
            table.AddRow([Markup.Escape(row.Method), .. shown.Select(column => Cell(scores, row.Values[column], scores.Best(column)))]);
        }

        return table;
    }

    private static string Cell(ScoreTable scores, double? value, double? best)
    {
        string text = scores.Format(value);
        return value is not null && value == best && scores.Rows.Count > 1 ? $"[bold]{text}[/]" : text;
    }
}
