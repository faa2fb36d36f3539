using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary><c>cudal2net reproduce table1</c> and <c>table2</c>: FPR95 on Brown's sets for each set trained on.</summary>
internal static class ReproduceTableCommand
{
    private static readonly Option<string> Paper = new("--paper")
    {
        Description = "Whose table 1: l2net or ralnet.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "l2net",
    };

    private static readonly Option<string[]> Rows = new("--rows")
    {
        Description = "The rows to make, with commas, by the papers' names (L2-Net,HardNet) or the presets' (l2net,hardnet-200k). The default is all.",
        HelpName = "NAMES",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Table 1 of either paper.</summary>
    public static Command CreateTable1(Terminal terminal) => Create(
        terminal,
        "table1",
        "L2-Net's or RAL-Net's table 1: train on each of Brown's sets, test on the others; FPR95 beside the paper's.",
        line => line.GetRequiredValue(Paper) switch
        {
            "l2net" => PublishedResults.L2NetTable1,
            "ralnet" => PublishedResults.RalNetTable1,
            var other => throw new UsageException($"--paper {other}: it must be l2net or ralnet"),
        },
        [Paper],
        "cudal2net reproduce table1 --paper ralnet --brown phototour --out runs/ralnet-table1",
        "cudal2net reproduce table1 --brown phototour --rows L2-Net,L2-Net+ --epochs 2 --out runs/small");

    /// <summary>RAL-Net's table 2.</summary>
    public static Command CreateTable2(Terminal terminal) => Create(
        terminal,
        "table2",
        "RAL-Net's table 2: its loss beside its ablations and HardNet's, the mean FPR95 over Brown's sets.",
        _ => PublishedResults.RalNetTable2,
        [],
        "cudal2net reproduce table2 --brown phototour --out runs/ralnet-table2",
        "cudal2net reproduce table2 --brown phototour --pairs 20000 --epochs 5 --out runs/small");

    private static Command Create(
        Terminal terminal, string name, string description, Func<ParseResult, string> table, Option[] own, params string[] examples)
    {
        var command = new ExampleCommand(name, description, examples);
        foreach (Option option in ReproduceCommand.Shared.Concat(own).Append(Rows))
        {
            command.Add(option);
        }

        command.SetAction(line => Run(line, terminal, table(line)));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal, string table)
    {
        PublishedRow[] rows = Choose(PublishedResults.OfTable(table), line.GetValue(Rows) ?? []);
        IReadOnlyList<BrownDataset> sets = OpenSets(line.GetRequiredValue(ReproduceCommand.Brown));
        string folder = line.GetRequiredValue(ReproduceCommand.Out);
        using Device device = CommonOptions.OpenDevice(line, terminal, trains: true);
        using var interrupt = new Interrupt(terminal, "stopping; what has been trained is saved (Ctrl-C again leaves at once)");
        var grid = new TableGrid(folder, sets, ReproduceCommand.Settings(line), device, terminal);
        IReadOnlyList<GridCell>? cells = grid.Run([.. rows.Select(row => row.Preset).Distinct()], null, interrupt.Token);
        if (cells is null)
        {
            terminal.Say("stopped; the same command goes on");
            return ExitCode.Interrupted;
        }

        Dictionary<string, string> settings = ReproduceCommand.Describe(line);
        settings["device"] = device.Description;
        string[] origins = [.. sets.Select(set => set.ReadOrigin()).OfType<string>()];
        var result = ReproducedTable.Create(
            table, settings, origins.Length > 0 ? string.Join(" ", origins.Distinct()) : null, rows, [.. sets.Select(BrownEvaluation.NameOf)], cells);
        string page = Path.Combine(folder, "index.html");
        RunOutput.WriteReport(page, result.ToReport(), result, result.ToCsv());
        terminal.Result(result, console => console.Write(result.ToConsole()));
        terminal.Say($"{(result.DataNote is { } note ? note + "\n" : string.Empty)}the page is {Path.GetFullPath(page)}");
        return 0;
    }

    /// <summary>The sets of a folder, two or more.</summary>
    /// <exception cref="UsageException">There is only one.</exception>
    public static IReadOnlyList<BrownDataset> OpenSets(string folder)
    {
        IReadOnlyList<BrownDataset> sets = BrownEvaluation.OpenAll(folder);
        return sets.Count > 1
            ? sets
            : throw new UsageException($"--brown {folder}: there is one set", "name the folder that holds liberty, notredame and yosemite");
    }

    private static PublishedRow[] Choose(IReadOnlyList<PublishedRow> rows, string[] wanted)
    {
        string[] words = [.. wanted.SelectMany(word => word.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];
        string[] known = [.. rows.Select(row => row.Method), .. rows.Select(row => row.Preset).OfType<string>()];
        foreach (string word in words.Where(word => !known.Contains(word, StringComparer.OrdinalIgnoreCase)))
        {
            throw new UsageException(
                $"--rows {word}: there is no such row{Suggestion.For(word, known)}", $"the rows are {string.Join(", ", rows.Select(row => row.Method))}");
        }

        return words.Length == 0
            ? [.. rows]
            : [.. rows.Where(row => words.Contains(row.Method, StringComparer.OrdinalIgnoreCase)
                || (row.Preset is not null && words.Contains(row.Preset, StringComparer.OrdinalIgnoreCase)))];
    }
}
