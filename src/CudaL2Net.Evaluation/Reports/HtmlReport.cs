using System.Globalization;
using System.Net;
using System.Text;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;

namespace CudaL2Net.Evaluation.Reports;

/// <summary>
/// One self-contained HTML page: images are embedded, nothing is loaded from anywhere (the page's own policy forbids it), light or dark as the reader's
/// system asks, tables sorted by a click on a column's head.
/// </summary>
/// <param name="title">The page's title.</param>
public sealed class HtmlReport(string title)
{
    private const string Style = """
        :root { color-scheme: light dark; }
        :root { --ink: #1b1f24; --soft: #59636e; --page: #f6f7f9; --card: #ffffff; --line: #d8dde3; --mark: #0b62a8; --stripe: #f2f5f8; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e6e9ed; --soft: #9aa5b1; --page: #14171b; --card: #1d2126; --line: #343b43; --mark: #6cb6f5; --stripe: #22272d; }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: anywhere; }
        body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
        h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
        h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; }
        p { margin: .4rem 0; max-width: 75ch; }
        ul.summary { list-style: none; margin: 0; padding: 0; color: var(--soft); }
        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: .75rem 0; }
        table { overflow-wrap: normal; border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        caption { text-align: left; color: var(--soft); padding: .7rem .9rem .2rem; font-size: .92rem; }
        caption span { position: sticky; left: .9rem; display: inline-block; max-width: min(1080px, 86vw); white-space: normal; }
        th, td { padding: .45rem .9rem; text-align: left; white-space: nowrap; }
        .dense th, .dense td { padding: .4rem .5rem; font-size: .86rem; }
        .dense thead th { white-space: normal; vertical-align: bottom; }
        thead th { border-bottom: 1px solid var(--line); cursor: pointer; user-select: none; font-weight: 600; }
        thead th:hover { color: var(--mark); }
        thead th[aria-sort=ascending]::after { content: " \2191"; color: var(--mark); }
        thead th[aria-sort=descending]::after { content: " \2193"; color: var(--mark); }
        tbody tr:nth-child(even) { background: var(--stripe); }
        .number { text-align: right; }
        .strong { font-weight: 700; color: var(--mark); }
        .published { color: var(--soft); font-style: italic; }
        tbody td:first-child, thead th:first-child { position: sticky; left: 0; background: var(--card); }
        tbody tr:nth-child(even) td:first-child { background: var(--stripe); }
        @media (max-width: 640px) { tbody td:first-child { white-space: normal; overflow-wrap: break-word; min-width: 6rem; max-width: 38vw; } }
        details { margin: .75rem 0; }
        summary { cursor: pointer; color: var(--mark); padding: .3rem 0; }
        .note { border-left: 4px solid #d98a00; background: var(--card); padding: .6rem .9rem; border-radius: 0 8px 8px 0; max-width: none; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 1rem; margin: .75rem 0; align-items: start; }
        .figures.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
        figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: auto hidden; }
        figure.wide { grid-column: 1 / -1; }
        figure img { display: block; width: 100%; min-width: 500px; height: auto; }
        figure.wide img { min-width: 700px; }
        .small figure img { min-width: 0; }
        figure.pixels img { image-rendering: pixelated; }
        @media (prefers-color-scheme: dark) { figure.plot img { filter: invert(.88) hue-rotate(180deg); } }
        figcaption { position: sticky; left: 0; padding: .6rem .9rem .75rem; color: var(--soft); font-size: .92rem; border-top: 1px solid var(--line); }
        footer { margin-top: 3rem; color: var(--soft); font-size: .88rem; }
        """;

    private const string Script = """
        for (const head of document.querySelectorAll("thead th")) {
          head.tabIndex = 0;
          head.onkeydown = event => { if (event.key === "Enter") head.onclick(); };
          head.onclick = () => sort(head);
        }
        function sort(head) {
          const body = head.closest("table").tBodies[0], column = head.cellIndex;
          const numeric = [...body.rows].some(row => row.cells[column].dataset.value !== undefined);
          const down = head.ariaSort ? head.ariaSort === "ascending" : numeric;
          const value = cell => cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
          const key = row => value(row.cells[column]);
          const isNumber = value => typeof value === "number";
          const turn = down ? -1 : 1;
          const order = (a, b) => isNumber(a) !== isNumber(b) ? (isNumber(a) ? -1 : 1)
            : turn * (isNumber(a) ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
          for (const other of head.parentNode.cells) other.ariaSort = null;
          head.ariaSort = down ? "descending" : "ascending";
          body.append(...[...body.rows].sort((a, b) => order(key(a), key(b))));
        }
        """;

    private const int MostRoomyColumns = 10;

    private readonly List<string> summary = [];
    private readonly StringBuilder body = new();
    private string? figures;
    private string heading = string.Empty;

    /// <summary>How an image is shown.</summary>
    public enum ImageKind
    {
        /// <summary>A photograph or the like: as it is.</summary>
        Photograph,

        /// <summary>A plot on white ground: turned dark on a dark page.</summary>
        Plot,

        /// <summary>One of many plots: three in a row.</summary>
        SmallPlot,

        /// <summary>Small patches enlarged: pixels stay squares.</summary>
        Pixels,
    }

    /// <summary>Adds a line under the title.</summary>
    /// <param name="line">Plain text.</param>
    public void AddSummary(string line) => summary.Add($"<li>{WebUtility.HtmlEncode(line)}</li>\n");

    /// <summary>Starts a section. One that stays empty is left out.</summary>
    /// <param name="heading">Plain text.</param>
    public void AddHeading(string heading) => this.heading = $"<h2>{WebUtility.HtmlEncode(heading)}</h2>\n";

    /// <summary>Adds a paragraph.</summary>
    /// <param name="text">Plain text.</param>
    public void AddText(string text) => Append($"<p>{WebUtility.HtmlEncode(text)}</p>\n");

    /// <summary>Adds a paragraph that must not be overlooked.</summary>
    /// <param name="text">Plain text.</param>
    public void AddNote(string text) => Append($"<p class=\"note\">{WebUtility.HtmlEncode(text)}</p>\n");

    /// <summary>Starts a part that is folded until its heading is clicked; <see cref="EndFolded"/> ends it.</summary>
    /// <param name="heading">Plain text.</param>
    public void BeginFolded(string heading) => Append($"<details><summary>{WebUtility.HtmlEncode(heading)}</summary>\n");

    /// <summary>Ends a folded part.</summary>
    public void EndFolded() => Append("</details>\n");

    /// <summary>Adds a table; one without rows is left out.</summary>
    /// <param name="caption">What the table shows.</param>
    /// <param name="columns">The columns' heads.</param>
    /// <param name="rows">A cell for each column.</param>
    /// <exception cref="ArgumentException">A row has not one cell for each column.</exception>
    public void AddTable(string caption, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<ReportCell>> rows)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.FirstOrDefault(row => row.Count != columns.Count) is { } odd)
        {
            throw new ArgumentException($"a row has {odd.Count} cells, the table {columns.Count} columns");
        }

        if (rows.Count == 0)
        {
            return;
        }

        string style = columns.Count > MostRoomyColumns ? " class=\"dense\"" : string.Empty;
        var table = new StringBuilder($"<div class=\"scroll\"><table{style}>\n<caption><span>{WebUtility.HtmlEncode(caption)}</span></caption>\n<thead><tr>");
        for (int i = 0; i < columns.Count; i++)
        {
            bool numbers = rows.Any(row => row[i].Value is not null), published = rows.All(row => row[i].Published);
            table.Append($"<th scope=\"col\"{Classes(numbers, strong: false, published)}>{WebUtility.HtmlEncode(columns[i])}</th>");
        }

        table.Append("</tr></thead>\n<tbody>\n");
        foreach (IReadOnlyList<ReportCell> row in rows)
        {
            table.Append("<tr>").AppendJoin(string.Empty, row.Select(ToHtml)).Append("</tr>\n");
        }

        Append(table.Append("</tbody>\n</table></div>\n").ToString());
    }

    /// <summary>Adds an image. Images that follow one another stand side by side where there is room.</summary>
    /// <param name="png">A PNG file's bytes.</param>
    /// <param name="caption">The text below it, also read to those who cannot see it.</param>
    /// <param name="kind">How it is shown.</param>
    /// <param name="wide">Whether it takes the whole width.</param>
    public void AddImage(byte[] png, string caption, ImageKind kind = ImageKind.Photograph, bool wide = false)
    {
        ArgumentNullException.ThrowIfNull(png);
        string group = kind == ImageKind.SmallPlot ? "figures small" : "figures";
        if (figures != group || heading.Length > 0)
        {
            Append($"<div class=\"{group}\">\n");
            figures = group;
        }

        string text = WebUtility.HtmlEncode(caption);
        string style = kind switch { ImageKind.Plot or ImageKind.SmallPlot => "plot", ImageKind.Pixels => "pixels", _ => "photograph" };
        body.Append($"<figure class=\"{style}{(wide ? " wide" : string.Empty)}\">");
        body.Append($"<img alt=\"{text}\" src=\"data:image/png;base64,{Convert.ToBase64String(png)}\">");
        body.Append($"<figcaption>{text}</figcaption></figure>\n");
    }

    /// <summary>Adds an evaluation on image sequences: table, bars, ROC and precision-recall curves.</summary>
    /// <param name="results">The results.</param>
    public void AddResults(SequenceResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] sequences = [.. results.Methods[0].Sequences.Keys];
        double bestMean = results.Methods.Max(method => method.Mean), bestFpr95 = results.Methods.Min(method => method.Fpr95);
        Dictionary<string, double> best = sequences.ToDictionary(name => name, name => results.Methods.Max(method => method.Sequences[name]));
        string measure = char.ToUpperInvariant(results.Measure[0]) + results.Measure[1..];
        AddTable(
            $"{measure}; at most {results.Keypoints} keypoints. FPR95: corresponding keypoints against random ones.",
            ["method", "dimension", .. sequences, "mean", "FPR95"],
            [.. results.Methods.Select(method => (ReportCell[])[
                method.Name,
                ReportCell.Number(method.Dimension, "0"),
                .. sequences.Select(name => ReportCell.Number(method.Sequences[name], "0.000", method.Sequences[name] == best[name])),
                ReportCell.Number(method.Mean, "0.000", method.Mean == bestMean),
                ReportCell.Number(100 * method.Fpr95, "0.00'%'", method.Fpr95 == bestFpr95),
            ])]);
        MethodCurve[] curves = [.. results.Methods.Select(method => new MethodCurve(method.Name, method.Verification))];
        AddImage(ResultPlots.Bars(results), "Keypoint matching by sequence: mean average precision, higher is better.", ImageKind.Plot, wide: true);
        AddImage(ResultPlots.Roc(curves, logarithmic: true), "ROC curves of verification: further up and left is better; dashed: 95%.", ImageKind.Plot);
        AddImage(ResultPlots.PrecisionRecall(curves), "Precision and recall of verification: further up and right is better.", ImageKind.Plot);
    }

    /// <summary>The page.</summary>
    public string ToHtml()
    {
        string name = WebUtility.HtmlEncode(title);
        string lines = summary.Count == 0 ? string.Empty : $"<ul class=\"summary\">\n{string.Concat(summary)}</ul>\n";
        return $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
            <title>{name}</title>
            <style>
            {Style}
            </style>
            </head>
            <body>
            <main>
            <h1>{name}</h1>
            {lines}{body}{(figures is null ? string.Empty : "</div>\n")}<footer>Written by cudal2net.</footer>
            </main>
            <script>
            {Script}
            </script>
            </body>
            </html>

            """;
    }

    /// <summary>Writes the page, as a whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path)
    {
        byte[] page = Encoding.UTF8.GetBytes(ToHtml());
        AtomicFile.Write(path, stream => stream.Write(page));
    }

    private static string ToHtml(ReportCell cell)
    {
        string value = cell.Value is { } number ? $" data-value=\"{number.ToString("R", CultureInfo.InvariantCulture)}\"" : string.Empty;
        bool right = cell.Value is not null || cell.Text == "-";
        return $"<td{Classes(right, cell.Strong, cell.Published)}{value}>{WebUtility.HtmlEncode(cell.Text)}</td>";
    }

    private static string Classes(bool number, bool strong, bool published)
    {
        string names = string.Join(' ', new[] { number ? "number" : "", strong ? "strong" : "", published ? "published" : "" }.Where(name => name.Length > 0));
        return names.Length > 0 ? $" class=\"{names}\"" : string.Empty;
    }

    private void Append(string html)
    {
        if (figures is not null)
        {
            body.Append("</div>\n");
            figures = null;
        }

        body.Append(heading).Append(html);
        heading = string.Empty;
    }
}
