using System.CommandLine;
using System.Globalization;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Cli.CommandLine;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary>Shows reports: tables for people, or JSON, and the file beside it.</summary>
internal static class BenchOutput
{
    /// <summary>The file that two runs are compared by.</summary>
    public static readonly Option<string?> Out = new("--out", "-o")
    {
        Description = "Also write the report, with every sample, to this file, row by row: `bench compare` compares two of them.",
        HelpName = "FILE.json",
    };

    // A column is shown if any row has something in it.
    private static readonly (string Title, Func<BenchRow, string?> Text)[] Columns =
    [
        ("µs", row => Number(row.Microseconds)),
        ("spread", row => row.Seconds.Length > 1 ? Percent(Timing.Spread(row.Seconds)) : null),
        ("patches/s", row => row.PatchesPerSecond?.ToString("N0", CultureInfo.InvariantCulture)),
        ("GB/s", row => row.StepShare is null ? Number(row.GigabytesPerSecond) : null),
        ("T/s", row => Number(row.TeraflopsPerSecond)),
        ("of memory", row => Percent(row.BandwidthShare)),
        ("of arithmetic", row => Percent(row.ArithmeticShare)),
        ("bound", row => row.Bound),
        ("of the step", row => Percent(row.StepShare)),
        ("error", row => row.Error?.ToString("0.0e+0", CultureInfo.InvariantCulture)),
        ("host µs", row => Number(row.HostMicroseconds)),
        ("allocated", row => row.AllocatedBytes?.ToString("N0", CultureInfo.InvariantCulture)),
        ("device MiB", row => Number(row.DeviceBytes / (double)(1 << 20))),
        ("theirs µs", row => Number(row.Peer?.Microseconds)),
        ("ours/theirs", row => row.PeerRatio?.ToString("0.00", CultureInfo.InvariantCulture)),
        ("difference", row => row.Peer?.Difference?.ToString("0.0e+0", CultureInfo.InvariantCulture)),
    ];

    /// <summary>Checks the name of the file that the line asks for.</summary>
    /// <exception cref="UsageException">It does not end in .json.</exception>
    public static void CheckOut(ParseResult line)
    {
        if (line.GetValue(Out) is { } path && !path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"--out {path}: the report is written as .json", $"--out {Path.ChangeExtension(path, ".json")}");
        }
    }

    /// <summary>What writes a report while it grows: to the file that the line asks for, if any.</summary>
    public static Action<BenchReport> Keep(ParseResult line) => line.GetValue(Out) is { } path ? report => report.Write(path) : _ => { };

    /// <summary>Writes a report as the line asks for it.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(Terminal terminal, ParseResult line, BenchReport report)
    {
        if (line.GetValue(Out) is { } path)
        {
            report.Write(path);
        }

        terminal.Result(report, console => Show(console, report));
    }

    /// <summary>Shows how two reports compare.</summary>
    public static void Show(IAnsiConsole console, Comparison comparison)
    {
        foreach ((string name, Machine machine) in new[] { ("A", comparison.First), ("B", comparison.Second) })
        {
            Lines(console, machine.Lines().Select((text, i) => i == 0 ? $"{name}  {text}" : $"   {text}"));
        }

        Lines(console, comparison.Differences.Select(difference => $"not the same: {difference}"));
        Table table = new Table().Border(TableBorder.Simple).AddColumn(comparison.Kind);
        foreach (string title in new[] { "A µs", "B µs", "B/A", "noise", "B is" })
        {
            table.AddColumn(title, column => column.RightAligned().NoWrap());
        }

        foreach (ComparedRow row in comparison.Rows)
        {
            string colour = row.Verdict switch { Verdict.Faster => "green", Verdict.Slower => "red", Verdict.Same => "default", _ => "yellow" };
            table.AddRow(
                Markup.Escape(row.Name),
                Number(row.FirstMicroseconds) ?? string.Empty,
                Number(row.SecondMicroseconds) ?? string.Empty,
                row.Ratio?.ToString("0.000", CultureInfo.InvariantCulture) ?? string.Empty,
                Percent(row.Noise) ?? string.Empty,
                $"[{colour}]{Words(row.Verdict)}[/]");
        }

        console.Write(table);
        IEnumerable<string> counts = comparison.Rows.GroupBy(row => row.Verdict).OrderBy(group => group.Key)
            .Select(group => $"{group.Count()} {Words(group.Key).ToLowerInvariant()}");
        Lines(console, [string.Join(", ", counts)]);
    }

    private static void Show(IAnsiConsole console, BenchReport report)
    {
        Lines(console, report.Machine.Lines());
        foreach (Peak peak in report.Peaks)
        {
            Lines(console, [$"peak, {peak.Name}: {Number(peak.Rate / 1e9)} G/s"]);
        }

        // Operations of one batch and precision, and those of one step, have a table of their own, with shorter names.
        bool kernels = report.Kind == "kernels";
        foreach (IGrouping<string, BenchRow> part in report.Rows.GroupBy(row =>
            kernels ? $"{row.Batch} patches, {row.Precision}" : row.StepShare is null ? report.Kind : row.Name.Split(": ")[0]))
        {
            BenchRow[] rows = [.. part];
            (string Title, Func<BenchRow, string?> Text)[] shown = [.. Columns.Where(column => rows.Any(row => column.Text(row) is not null))];
            Table table = new Table().Border(TableBorder.Simple).AddColumn(Markup.Escape(part.Key));
            foreach ((string title, _) in shown)
            {
                table.AddColumn(title, column => column.RightAligned().NoWrap());
            }

            foreach (BenchRow row in rows)
            {
                string label = kernels ? $"{row.Operation}, {row.Shape}" : row.StepShare is null ? row.Name : row.Operation;
                table.AddRow([Markup.Escape(label), .. shown.Select(column => Markup.Escape(column.Text(row) ?? string.Empty))]);
            }

            console.Write(table);
        }

        IEnumerable<string> peers = report.Rows.Select(row => row.Peer?.Name).OfType<string>().Distinct();
        Lines(console, peers.Select(peer => $"theirs: {peer}"));
        Lines(console, [$"medians of {report.Rounds}; how to read them: bench/README.md"]);
    }

    private static void Lines(IAnsiConsole console, IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            console.WriteLine(line);
        }
    }

    private static string Words(Verdict verdict) => verdict switch
    {
        Verdict.Faster => "faster",
        Verdict.Slower => "SLOWER",
        Verdict.OnlyFirst => "missing",
        Verdict.OnlySecond => "new",
        _ => "same",
    };

    // Three digits that count.
    private static string? Number(double? value) => value switch
    {
        null => null,
        >= 1000 => value.Value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.Value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("0.0", CultureInfo.InvariantCulture),
        >= 1 => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("0.000", CultureInfo.InvariantCulture),
    };

    private static string? Percent(double? share) => share is { } value
        ? (100 * value).ToString(value < 0.0995 ? "0.0" : "0", CultureInfo.InvariantCulture) + "%"
        : null;
}
