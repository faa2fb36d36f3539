using System.CommandLine;
using CudaL2Net.Cli;
using CudaL2Net.Cli.CommandLine;

namespace CudaL2Net.Tests.Cli;

/// <summary>All commands that do something, with the words that name them.</summary>
public static class CommandTree
{
    public sealed record Node(string[] Words, Command Command);

    private static readonly IReadOnlyList<Node> All;

    static CommandTree()
    {
        Root = Program.Root(new Terminal(TextWriter.Null, TextWriter.Null));
        All = [.. Below(Root, [])];
    }

    public static Command Root { get; }

    public static IReadOnlyList<Node> Nodes() => All;

    /// <summary>Values for all arguments and options that a command cannot do without, one option excepted.</summary>
    public static string[] Required(string[] words, Option except)
    {
        Command command = Nodes().Single(node => node.Words.SequenceEqual(words)).Command;
        return
        [
            .. command.Arguments.Select(_ => "nothing"),
            .. command.Options.Where(option => option.Required && option != except)
                .SelectMany(option => new[] { option.Name, option.Name == "--format" ? "onnx" : "nothing" }),
        ];
    }

    /// <summary>Whether an output is a folder.</summary>
    public static bool IsFolder(Node node, Symbol output) => output.Name == "--out" && (node.Words[0] is "train" or "demo" or "reproduce" or "data");

    private static IEnumerable<Node> Below(Command command, string[] words) => command.Subcommands.Count == 0
        ? [new Node(words, command)]
        : command.Subcommands.SelectMany(sub => Below(sub, [.. words, sub.Name]));
}
