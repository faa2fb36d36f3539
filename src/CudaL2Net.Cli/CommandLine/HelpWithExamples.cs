using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class ExampleCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Command lines that can be copied.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;
}

/// <summary>The usual help, with the command's examples at the end.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int code = usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        Command command = parseResult.CommandResult.Command;
        output.WriteLine("Examples:");
        foreach (string example in ExamplesOf(command))
        {
            output.WriteLine($"  {example}");
        }

        output.WriteLine();
        return code;
    }

    // A command that only groups others shows the first example of each of them.
    private static IEnumerable<string> ExamplesOf(Command command) => command is ExampleCommand { Examples.Count: > 0 } one
        ? one.Examples
        : command.Subcommands.SelectMany(sub => ExamplesOf(sub).Take(1));
}
