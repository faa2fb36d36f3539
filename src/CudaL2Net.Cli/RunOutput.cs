using System.CommandLine;
using System.Text;
using CudaL2Net.Evaluation;
using CudaL2Net.Formats;
using Spectre.Console;

namespace CudaL2Net.Cli;

/// <summary>Writes what an evaluation found: tables for people, or JSON, and CSV beside it.</summary>
internal static class RunOutput
{
    /// <summary>All scores as CSV.</summary>
    public static readonly Option<string?> Csv = new("--csv")
    {
        Description = "Also write all scores to this file, a line a score: benchmark,table,measure,method,column,value.",
        HelpName = "FILE",
    };

    private const int MostColumns = 12;

    /// <summary>Writes a run as the line asks for it.</summary>
    /// <exception cref="IOException">The CSV cannot be written.</exception>
    public static void Write(Terminal terminal, ParseResult line, EvaluationRun run)
    {
        terminal.Result(run, console =>
        {
            foreach (ScoreTable table in run.Tables.Where(table => !table.IsDetail))
            {
                console.Write(ToTable(table));
                console.WriteLine(table.Measure);
                console.WriteLine();
            }
        });
        if (line.GetValue(Csv) is { } path)
        {
            byte[] text = Encoding.UTF8.GetBytes(run.ToCsv());
            AtomicFile.Write(path, stream => stream.Write(text));
        }
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
