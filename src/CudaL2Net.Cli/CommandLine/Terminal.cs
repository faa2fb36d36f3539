using System.Diagnostics;
using System.Runtime.InteropServices;
using CudaL2Net.Formats;
using Spectre.Console;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>Where a command writes: results on standard output, everything else on standard error.</summary>
internal sealed class Terminal
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    private TextWriter output = TextWriter.Null, error = TextWriter.Null;
    private bool interactive;

    /// <summary>A terminal that writes to these.</summary>
    public Terminal(TextWriter output, TextWriter error) => WriteTo(output, error);

    /// <summary>Whether results are wanted as JSON.</summary>
    public bool Json { get; set; }

    /// <summary>Begins another command, which writes to these.</summary>
    public void WriteTo(TextWriter output, TextWriter error)
    {
        (this.output, this.error, Json) = (output, error, false);
        interactive = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
    }

    /// <summary>A message for people, on standard error.</summary>
    public void Say(string message) => error.WriteLine(PrintableText.Of(message));

    /// <summary>The command's result: as JSON, or what <paramref name="people"/> writes.</summary>
    public void Result(object value, Action<IAnsiConsole> people)
    {
        if (Json)
        {
            output.WriteLine(JsonText.Of(value));
        }
        else
        {
            people(On(output, !ReferenceEquals(output, Console.Out) || Console.IsOutputRedirected));
        }
    }

    /// <summary>Does some work that reports how far it is: a bar on a terminal, else a line every few seconds.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="work">Is given a function that takes the part that has been done, 0 to 1, and details.</param>
    public T WithProgress<T>(string title, Func<Action<double, string>, T> work) => interactive ? WithBar(title, work) : WithLines(title, work);

    private static IAnsiConsole On(TextWriter writer, bool plain)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
            Interactive = plain ? InteractionSupport.No : InteractionSupport.Detect,
        });
        console.Pipeline.Attach(new PrintableText());
        if (plain)
        {
            const int WideEnough = 160;
            console.Profile.Width = WideEnough;
        }

        return console;
    }

    private T WithBar<T>(string title, Func<Action<double, string>, T> work) => On(error, plain: false).Progress()
        .AutoClear(false)
        .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
        .Start(context =>
        {
            ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: 1);
            T result = work((part, details) =>
            {
                task.Description = Markup.Escape(details.Length == 0 ? title : $"{title}  {details}");
                task.Value = part;
            });
            task.Value = 1;
            return result;
        });

    private T WithLines<T>(string title, Func<Action<double, string>, T> work)
    {
        Say($"{title} ...");
        var watch = Stopwatch.StartNew();
        TimeSpan next = LineInterval;
        return work((part, details) =>
        {
            lock (watch)
            {
                if (watch.Elapsed >= next)
                {
                    next = watch.Elapsed + LineInterval;
                    Say($"{title}  {part,4:P0}  {details}");
                }
            }
        });
    }
}

/// <summary>Turns the first Ctrl-C (or SIGTERM) into a wish to stop; the second one ends the program at once.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    /// <summary>Starts listening.</summary>
    /// <param name="terminal">Where it says what happens next.</param>
    /// <param name="message">What happens next.</param>
    public Interrupt(Terminal terminal, string message)
    {
        void Stop(PosixSignalContext signal)
        {
            if (source.IsCancellationRequested)
            {
                return;
            }

            signal.Cancel = true;
            terminal.Say(message);
            source.Cancel();
        }

        registrations = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop)];
    }

    /// <summary>Cancelled at the first signal.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>Stops listening.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
        {
            registration.Dispose();
        }

        source.Dispose();
    }
}

/// <summary>Progress that is told at once, on the thread that reports.</summary>
internal sealed class Reporter<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
