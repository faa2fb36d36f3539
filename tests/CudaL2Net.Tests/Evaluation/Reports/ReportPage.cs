using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace CudaL2Net.Tests.Evaluation.Reports;

/// <summary>A report's page, as tests read it.</summary>
internal static partial class ReportPage
{
    /// <summary>The main element. The body is written as XML but for the img elements, which HTML does not close.</summary>
    public static XElement MainOf(string html)
    {
        string main = html[html.IndexOf("<main>", StringComparison.Ordinal)..(html.IndexOf("</main>", StringComparison.Ordinal) + "</main>".Length)];
        return XElement.Parse(Image().Replace(main, "$1/>"));
    }

    /// <summary>The cells of the table whose caption starts so, heads first.</summary>
    public static string[][] Table(XElement main, string caption) =>
    [
        .. main.Descendants("table").Single(table => table.Element("caption")!.Value.StartsWith(caption, StringComparison.Ordinal))
            .Descendants("tr").Select(row => row.Elements().Select(cell => cell.Value).ToArray()),
    ];

    /// <summary>Checks that the page needs nothing but itself.</summary>
    public static void IsSelfContained(string html)
    {
        Assert.That(html, Does.Contain("default-src 'none'"));
        string[] targets = [.. Reference().Matches(html).Select(match => match.Groups[1].Value)];
        Assert.That(targets, Is.All.StartsWith("data:image/png;base64,"));
        Assert.That(html, Does.Not.Contain("http:").And.Not.Contain("https:").And.Not.Contain("<link").And.Not.Contain("@import").And.Not.Contain("url("));
    }

    [GeneratedRegex("(<img [^>]*)>")]
    private static partial Regex Image();

    [GeneratedRegex("(?:src|href|srcset|poster|action)=\"([^\"]*)\"")]
    private static partial Regex Reference();
}
