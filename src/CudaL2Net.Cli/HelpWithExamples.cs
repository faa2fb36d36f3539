using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace CudaL2Net.Cli;

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
        IEnumerable<string> examples = command is ExampleCommand one
            ? one.Examples
            : command.Subcommands.OfType<ExampleCommand>().Select(sub => sub.Examples.FirstOrDefault()).OfType<string>();
        output.WriteLine("Examples:");
        foreach (string example in examples)
        {
            output.WriteLine($"  {example}");
        }

        output.WriteLine();
        return code;
    }
}
