using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Commands;
using CudaL2Net.Cli.Commands.Bench;
using CudaL2Net.Cli.Commands.Colmap;
using CudaL2Net.Cli.Commands.Evaluate;
using CudaL2Net.Cli.Commands.Reproduce;
using CudaL2Net.Cli.Files;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Files;
using CudaL2Net.Interop;
using CudaL2Net.Training;

namespace CudaL2Net.Cli;

/// <summary>The command <c>cudal2net</c>: parses the line, runs the command, and turns what went wrong into one or two lines of text.</summary>
internal static partial class Program
{
    // A word that starts with @ is a file's name like any other, not a list of more words.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };

    // Made once per thread: options are the same in every tree, and each remembers all trees that it was put in.
    [ThreadStatic]
    private static (Terminal Terminal, Command Root)? tree;

    private static int Main(string[] args) => Run(args, Console.Out, Console.Error);

    /// <summary>Runs one command.</summary>
    /// <param name="args">The words after the program's name.</param>
    /// <param name="output">Where results go.</param>
    /// <param name="error">Where progress, messages and errors go.</param>
    /// <returns>0 only on success.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter error)
    {
        if (tree is null)
        {
            var made = new Terminal(output, error);
            tree = (made, Root(made));
        }

        (Terminal terminal, Command root) = tree.Value;
        terminal.WriteTo(output, error);
        ParseResult line = root.Parse(args, Parsing);
        bool verbose = line.GetValue(CommonOptions.Verbose);
        terminal.Json = line.GetValue(CommonOptions.Json);
        if (args.Length == 0)
        {
            return root.Parse("--help").Invoke(new InvocationConfiguration { Output = error }) == 0 ? ExitCode.UsageError : ExitCode.Failure;
        }

        bool asksForHelp = line.Action is not null && line.Action.ClearsParseErrors;
        if (line.Errors.Count > 0 && !asksForHelp)
        {
            return Explain(error, ParseError(line), $"{Path(line.CommandResult)} --help shows the options and examples", ExitCode.UsageError);
        }

        try
        {
            if (line.Action is not null && line.Action == line.CommandResult.Command.Action)
            {
                LineFiles.Check(line);
            }

            using ImageRemarks remarks = ImageRemarks.Listen(terminal.Say);
            return line.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (UsageException usage)
        {
            return Explain(error, usage.Message, usage.Hint ?? $"{Path(line.CommandResult)} --help shows the options and examples", ExitCode.UsageError);
        }
        catch (Exception exception)
        {
            if (verbose)
            {
                error.WriteLine(exception);
            }

            (string message, string? hint) = Describe(exception);
            return Explain(error, message, hint, ExitCode.Failure);
        }
    }

    /// <summary>The tree of all commands.</summary>
    internal static Command Root(Terminal terminal)
    {
        var help = new HelpOption();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        var root = new Command("cudal2net", "Trains, evaluates and runs learned descriptors of local image patches (L2-Net, HardNet, RAL-Net).")
        {
            help,
            new VersionOption(),
            CommonOptions.Json,
            CommonOptions.Verbose,
            BenchCommand.Create(terminal),
            ColmapCommand.Create(terminal),
            DataCommand.Create(terminal),
            DemoCommand.Create(terminal),
            DescribeCommand.Create(terminal),
            EvaluateCommand.Create(terminal),
            ExportCommand.Create(terminal),
            ImportCommand.Create(terminal),
            InfoCommand.Create(terminal),
            MatchCommand.Create(terminal),
            ReproduceCommand.Create(terminal),
            TrainCommand.Create(terminal),
        };
        NumberOptions.ReadStrictly(root);
        LineFiles.ReadPaths(root);
        return root;
    }

    private static int Explain(TextWriter error, string message, string? hint, int code)
    {
        error.WriteLine($"error: {PrintableText.Of(message)}");
        if (hint is not null)
        {
            error.WriteLine($"hint: {PrintableText.Of(hint)}");
        }

        return code;
    }

    private static string ParseError(ParseResult line)
    {
        string? stranger = line.UnmatchedTokens.FirstOrDefault();
        Command command = line.CommandResult.Command;
        if (stranger is null)
        {
            return Spaces().Replace(line.Errors[0].Message, " ");
        }

        bool option = stranger.StartsWith('-');
        IEnumerable<string> known = option
            ? command.Options.Append(CommonOptions.Json).Append(CommonOptions.Verbose).SelectMany(known => known.Aliases.Append(known.Name))
            : command.Subcommands.Select(known => known.Name);
        string kind = option ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        return $"unknown {kind} '{stranger}'{Suggestion.For(stranger, known)}";
    }

    private static string Path(SymbolResult? result)
    {
        var words = new List<string>();
        for (; result is CommandResult command; result = command.Parent)
        {
            words.Insert(0, command.Command.Name);
        }

        return string.Join(' ', words);
    }

    // The one place where exceptions become words.
    private static (string Message, string? Hint) Describe(Exception exception)
    {
        const string NativeHint = "./build.sh setup installs the system libraries; cudal2net info lists what is missing";
        return exception switch
        {
            AggregateException { InnerException: { } inner } => Describe(inner),
            TypeInitializationException { InnerException: { } inner } => Describe(inner),
            DllNotFoundException missing => ($"a native library does not load: {FirstLine(missing.Message)}", NativeHint),
            EntryPointNotFoundException or BadImageFormatException => ($"a native library does not fit: {FirstLine(exception.Message)}", NativeHint),
            UnauthorizedAccessException => (exception.Message, "check the rights of the file and its folder, or choose another place"),
            IOException when AtomicFile.IsDiskFull(exception) =>
                (exception.Message, "the disk is full: free some space, or choose another --out; what was saved before is intact"),
            FileNotFoundException or DirectoryNotFoundException => (exception.Message, "check the path"),
            OutOfMemoryException => ($"not enough memory: {exception.Message}", "close other programs that hold memory, or train with a smaller --batch"),
            CudaException { IsKernelFault: true } => (exception.Message, "this is an error of the program; --device cpu does without"),
            CudaException or CudaLibraryException or ArgumentException or InvalidDataException or TrainingCollapsedException or IOException
                or NotSupportedException or InvalidOperationException =>
                (ParameterName().Replace(exception.Message, string.Empty), null),
            _ => ($"unexpected {exception.GetType().Name}: {exception.Message}", "run it again with --verbose to see where it happened"),
        };
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@" \(Parameter '\w+'\)$")]
    private static partial Regex ParameterName();
}
