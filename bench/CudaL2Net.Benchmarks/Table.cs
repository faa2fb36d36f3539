using System.Globalization;
using System.Text;

namespace CudaL2Net.Benchmarks;

/// <summary>The figures of one benchmark: printed as a Markdown table, kept as numbers in JSON.</summary>
/// <param name="title">The benchmark.</param>
/// <param name="columns">The columns' names, with their units, and the format of their numbers.</param>
internal sealed class Table(string title, params (string Name, string Format)[] columns)
{
    private readonly List<object[]> rows = [];

    public string Title { get; } = title;

    /// <summary>A sentence on how to read the figures, below the table.</summary>
    public string Note { get; init; } = "";

    /// <summary>The rows by column name.</summary>
    public IEnumerable<Dictionary<string, object>> Rows => rows.Select(row => columns.Zip(row, (column, value) => (column.Name, value)).ToDictionary());

    public void Add(params object[] values) => rows.Add(values);

    public string ToMarkdown()
    {
        string[][] cells = [.. rows.Select(row => row.Select(Text).ToArray())];
        int[] widths = [.. columns.Select((column, i) => cells.Select(row => row[i].Length).Append(column.Name.Length).Max())];
        bool[] numbers = [.. columns.Select((_, i) => rows.Count > 0 && rows[0][i] is not string)];
        var text = new StringBuilder($"### {Title}\n\n");
        Line([.. columns.Select(column => column.Name)]);
        text.AppendLine("|" + string.Concat(widths.Select((width, i) => new string('-', width + 1) + (numbers[i] ? ":|" : "-|"))));
        foreach (string[] row in cells)
        {
            Line(row);
        }

        return Note.Length == 0 ? text.ToString() : text.Append('\n').AppendLine(Note).ToString();

        void Line(string[] values)
        {
            IEnumerable<string> padded = values.Select((value, i) => numbers[i] ? value.PadLeft(widths[i]) : value.PadRight(widths[i]));
            text.AppendLine($"| {string.Join(" | ", padded)} |");
        }
    }

    private string Text(object value, int column) => value switch
    {
        double.NaN => "",
        IFormattable number => number.ToString(columns[column].Format, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
