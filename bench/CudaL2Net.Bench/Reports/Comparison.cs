using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using CudaL2Net.Bench.Measuring;

namespace CudaL2Net.Bench.Reports;

/// <summary>Writes verdicts by name.</summary>
internal sealed class VerdictConverter() : JsonStringEnumConverter<Verdict>(JsonNamingPolicy.CamelCase);

/// <summary>How a figure of one report stands to the same of another one.</summary>
[JsonConverter(typeof(VerdictConverter))]
internal enum Verdict
{
    /// <summary>No further apart than the noise.</summary>
    Same,

    /// <summary>The second one took less time.</summary>
    Faster,

    /// <summary>The second one took more time.</summary>
    Slower,

    /// <summary>Only the first report has it.</summary>
    OnlyFirst,

    /// <summary>Only the second report has it.</summary>
    OnlySecond,
}

/// <summary>One figure of two reports.</summary>
/// <param name="Name">Its name.</param>
/// <param name="FirstMicroseconds">The first report's median, or null.</param>
/// <param name="SecondMicroseconds">The second report's median, or null.</param>
/// <param name="Ratio">The second median as a share of the first: below 1 is faster.</param>
/// <param name="Noise">How far the ratio can be from 1 by chance.</param>
/// <param name="Verdict">What follows.</param>
internal sealed record ComparedRow(string Name, double? FirstMicroseconds, double? SecondMicroseconds, double? Ratio, double? Noise, Verdict Verdict);

/// <summary>Two reports of one kind, row by row.</summary>
/// <param name="Kind">Which bench.</param>
/// <param name="First">Where and when the first was measured.</param>
/// <param name="Second">Where and when the second was measured.</param>
/// <param name="Differences">What was not the same in the two measurements, in words: the machine, threads, precisions, batches, rounds.</param>
/// <param name="Rows">The rows of the first report in its order, then those that only the second one has.</param>
internal sealed record Comparison(string Kind, Machine First, Machine Second, IReadOnlyList<string> Differences, IReadOnlyList<ComparedRow> Rows)
{
    // Clocks and the order of things move even the steadiest figure by this much from one run to the next.
    private const double LeastNoise = 0.01;

    /// <summary>Compares.</summary>
    /// <exception cref="ArgumentException">The reports are of different kinds.</exception>
    public static Comparison Of(BenchReport first, BenchReport second)
    {
        if (first.Kind != second.Kind)
        {
            throw new ArgumentException(
                $"the first report is of bench {first.Kind}, the second of bench {second.Kind}: only reports of one kind can be compared");
        }

        Dictionary<string, BenchRow> others = second.Rows.ToDictionary(row => row.Name);
        HashSet<string> known = [.. first.Rows.Select(row => row.Name)];
        return new Comparison(
            first.Kind,
            first.Machine,
            second.Machine,
            [.. DifferencesOf(first, second)],
            [
                .. first.Rows.Select(row => others.TryGetValue(row.Name, out BenchRow? other)
                    ? Compare(row, other)
                    : new ComparedRow(row.Name, row.Microseconds, null, null, null, Verdict.OnlyFirst)),
                .. second.Rows.Where(row => !known.Contains(row.Name))
                    .Select(row => new ComparedRow(row.Name, null, row.Microseconds, null, null, Verdict.OnlySecond)),
            ]);
    }

    /// <summary>Rows that both reports have.</summary>
    public int Compared => Rows.Count - Missing - New;

    /// <summary>Rows that only the first report has.</summary>
    public int Missing => Rows.Count(row => row.Verdict == Verdict.OnlyFirst);

    /// <summary>Rows that only the second report has.</summary>
    public int New => Rows.Count(row => row.Verdict == Verdict.OnlySecond);

    /// <summary>The rows that became slower by more than the noise and by more than so many percent.</summary>
    public IEnumerable<ComparedRow> SlowerBy(double percent) => Rows.Where(row => row.Verdict == Verdict.Slower && row.Ratio > 1 + (percent / 100));

    // What makes a ratio mean something else than a change of the program; or why two reports have no rows in common.
    private static IEnumerable<string> DifferencesOf(BenchReport first, BenchReport second)
    {
        (string What, string First, string Second)[] values =
        [
            ("device", first.Machine.Device, second.Machine.Device),
            ("device in words", first.Machine.Description, second.Machine.Description),
            ("emulated", YesOrNo(first.Machine.Emulated), YesOrNo(second.Machine.Emulated)),
            ("processor", first.Machine.Processor, second.Machine.Processor),
            ("cores", $"{first.Machine.Cores}", $"{second.Machine.Cores}"),
            ("bits of vectors", $"{first.Machine.Vectors}", $"{second.Machine.Vectors}"),
            ("system", first.Machine.System, second.Machine.System),
            ("rounds", $"{first.Rounds}", $"{second.Rounds}"),
            ("finished", YesOrNo(first.Finished), YesOrNo(second.Finished)),
            ("threads", All(first, row => row.Threads?.ToString(CultureInfo.InvariantCulture)), All(second, row => row.Threads?.ToString(CultureInfo.InvariantCulture))),
            ("precision", All(first, row => row.Precision), All(second, row => row.Precision)),
            ("batch", All(first, row => row.Batch.ToString(CultureInfo.InvariantCulture)), All(second, row => row.Batch.ToString(CultureInfo.InvariantCulture))),
        ];
        return values.Where(value => value.First != value.Second).Select(value => $"{value.What}: A {value.First}, B {value.Second}");

        static string YesOrNo(bool value) => value ? "yes" : "no";

        static string All(BenchReport report, Func<BenchRow, string?> of) =>
            string.Join(" and ", report.Rows.Select(of).Select(value => string.IsNullOrEmpty(value) ? "none" : value).Distinct().Order(StringComparer.Ordinal));
    }

    private static ComparedRow Compare(BenchRow first, BenchRow second)
    {
        double ratio = second.Microseconds / first.Microseconds;
        double noise = Math.Max(LeastNoise, Timing.Spread(first.Seconds) + Timing.Spread(second.Seconds));
        Verdict verdict = ratio > 1 + noise ? Verdict.Slower : ratio < 1 / (1 + noise) ? Verdict.Faster : Verdict.Same;
        return new ComparedRow(first.Name, first.Microseconds, second.Microseconds, ratio, noise, verdict);
    }
}
