using System.CommandLine;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Cli.Commands.Bench;

/// <summary><c>cudal2net bench compare</c>: two runs against each other.</summary>
internal static class BenchCompareCommand
{
    private static readonly Argument<string> First = new("A.json") { Description = "The report to compare with." };

    private static readonly Argument<string> Second = new("B.json") { Description = "The report that is compared." };

    private static readonly Option<double?> FailAbove = new("--fail-above")
    {
        Description = "Fail if anything is slower in B by more than this many percent, and by more than the noise; or if B lacks something that A has.",
        HelpName = "PERCENT",
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "compare",
            "Compare two reports of one kind, row by row: the ratio of the medians, and whether it is more than noise. Fails if they have no row in common.",
            "cudal2net bench compare before.json after.json",
            "cudal2net bench compare before.json after.json --fail-above 5")
        {
            First, Second, FailAbove,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        double? percent = line.GetValue(FailAbove);
        if (percent is { } given && !(given is >= 0 and <= 1e6))
        {
            throw new UsageException($"--fail-above {given}: it must be 0 or more");
        }

        Comparison comparison = Comparison.Of(BenchReport.Read(line.GetRequiredValue(First)), BenchReport.Read(line.GetRequiredValue(Second)));
        terminal.Result(comparison, console => BenchOutput.Show(console, comparison));
        if (comparison.Compared == 0)
        {
            string why = comparison.Differences.Count == 0 ? string.Empty : $" ({string.Join("; ", comparison.Differences)})";
            throw new InvalidDataException($"nothing was compared: the two reports have no row in common{why}");
        }

        if (comparison.Missing + comparison.New > 0)
        {
            terminal.Say($"rows compared: {comparison.Compared}; rows of A that are missing in B: {comparison.Missing}; rows of B that A does not have: {comparison.New}");
        }

        if (percent is not { } most)
        {
            return 0;
        }

        ComparedRow[] slower = [.. comparison.SlowerBy(most)];
        if (slower.Length > 0)
        {
            terminal.Say($"{slower.Length} slower by more than {most}%, the first: {slower[0].Name}");
        }

        return slower.Length + comparison.Missing > 0 ? ExitCode.Failure : 0;
    }
}
