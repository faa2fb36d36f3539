using System.Globalization;

namespace CudaL2Net.Evaluation.Reports;

/// <summary>A cell of a table in a report.</summary>
/// <param name="Text">What is shown.</param>
/// <param name="Value">What the column is sorted by, or null to sort by the text. Cells with a value are set to the right.</param>
/// <param name="Strong">Whether it is set in bold, as the best of its column, say.</param>
/// <param name="Published">Whether it is a paper's number, set in grey.</param>
public readonly record struct ReportCell(string Text, double? Value = null, bool Strong = false, bool Published = false)
{
    /// <summary>A cell with text.</summary>
    public static implicit operator ReportCell(string text) => new(text);

    /// <summary>A cell with a number.</summary>
    /// <param name="value">The number.</param>
    /// <param name="format">A .NET number format.</param>
    /// <param name="strong">Whether it is set in bold.</param>
    public static ReportCell Number(double value, string format, bool strong = false) =>
        new(value.ToString(format, CultureInfo.InvariantCulture), value, strong);
}
