using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Training;

namespace CudaL2Net.Cli.Commands.Reproduce;

/// <summary><c>cudal2net reproduce</c>: the papers' tables and figures, trained and tested anew.</summary>
internal static class ReproduceCommand
{
    /// <summary>The folder with Brown's sets.</summary>
    public static readonly Option<string> Brown = new("--brown")
    {
        Description = "The folder with the sets (liberty, notredame, yosemite), each with mosaics, info.txt and a list of test pairs.",
        HelpName = "DIR",
        Required = true,
    };

    /// <summary>The grid's folder.</summary>
    public static readonly Option<string> Out = new("--out", "-o")
    {
        Description = "The folder for trainings, page, JSON and CSV. The same command goes on where a stopped or killed one was.",
        HelpName = "DIR",
        Required = true,
    };

    private static readonly Option<long?> Pairs = new("--pairs") { Description = "Pairs per epoch (HardNet, RAL-Net).", HelpName = "N" };

    private static readonly Option<int?> Epochs = new("--epochs") { Description = "Epochs per training.", HelpName = "E" };

    private static readonly Option<int?> Steps = new("--steps") { Description = "Batches per training, instead of epochs.", HelpName = "N" };

    private static readonly Option<int?> Batch = new("--batch") { Description = "Pairs per batch.", HelpName = "B" };

    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of weights, batches and augmentation.", HelpName = "S" };

    private static readonly Option<double> CheckpointSeconds = new("--checkpoint-seconds")
    {
        Description = "The time between a training's checkpoints.",
        HelpName = "S",
        DefaultValueFactory = _ => 60,
    };

    /// <summary>Options that every reproduction has.</summary>
    public static IReadOnlyList<Option> Shared { get; } =
        [Brown, Out, Pairs, Epochs, Steps, Batch, Seed, CheckpointSeconds, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads];

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal) => new ExampleCommand(
        "reproduce", "Train and test the papers' tables and figures anew, published beside measured; resumable at any moment.")
    {
        ReproduceTableCommand.CreateTable1(terminal),
        ReproduceTableCommand.CreateTable2(terminal),
        ReproduceFigureCommand.Create(terminal),
    };

    /// <summary>What the line changes in the presets.</summary>
    public static GridSettings Settings(ParseResult line)
    {
        double seconds = line.GetValue(CheckpointSeconds);
        return seconds is >= 0 and <= 1e6
            ? new GridSettings(options => Change(options, line), seconds)
            : throw new UsageException($"--checkpoint-seconds {seconds}: it must be from 0 to 1000000");
    }

    /// <summary>The same in words.</summary>
    public static Dictionary<string, string> Describe(ParseResult line)
    {
        (string Name, object? Value)[] given =
        [
            ("pairs", line.GetValue(Pairs)), ("epochs", line.GetValue(Epochs)), ("steps", line.GetValue(Steps)), ("batch", line.GetValue(Batch)),
            ("seed", line.GetValue(Seed)),
        ];
        string[] changed = [.. given.Where(setting => setting.Value is not null).Select(setting => $"{setting.Name} {setting.Value}")];
        return new Dictionary<string, string>
        {
            ["trainings"] = changed.Length == 0 ? "as the papers'" : "the papers' presets but for " + string.Join(", ", changed),
            ["data"] = line.GetRequiredValue(Brown),
        };
    }

    private static TrainingOptions Change(TrainingOptions options, ParseResult line)
    {
        options = line.GetValue(Epochs) is { } epochs ? options with { Epochs = epochs, Steps = null } : options;
        options = line.GetValue(Pairs) is { } pairs ? options with { PairsPerEpoch = pairs, Steps = null } : options;
        options = line.GetValue(Steps) is { } steps ? options with { Steps = steps } : options;
        options = line.GetValue(Batch) is { } batch ? options with { Batch = batch } : options;
        return line.GetValue(Seed) is { } seed ? options with { Seed = seed } : options;
    }
}
