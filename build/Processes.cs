using System.Diagnostics;

namespace CudaL2Net.Build;

/// <summary>Runs other programs.</summary>
internal static class Processes
{
    /// <summary>Runs a program to its end and returns its exit code.</summary>
    /// <param name="program">The program, found on PATH unless it is a path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="folder">Where it runs; the repository unless given.</param>
    /// <param name="onLine">Gets each line of its output. Echo says whether the line is shown as well.</param>
    /// <param name="quiet">Shows neither output nor errors. A program that is not there then gives 127.</param>
    /// <param name="echo">Shows the lines that <paramref name="onLine"/> gets.</param>
    /// <param name="environment">Environment variables that it gets besides ours.</param>
    /// <exception cref="BuildFailed">There is no such program.</exception>
    public static int Run(
        string program,
        string[] arguments,
        string? folder = null,
        Action<string>? onLine = null,
        bool quiet = false,
        bool echo = true,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        bool captured = onLine is not null || quiet;
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder ?? Folders.Root,
            UseShellExecute = false,
            RedirectStandardOutput = captured,
            RedirectStandardError = quiet,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        try
        {
            using Process process = Process.Start(start)!;
            if (captured)
            {
                process.OutputDataReceived += (_, received) =>
                {
                    if (received.Data is not { } line)
                    {
                        return;
                    }

                    onLine?.Invoke(line);
                    if (!quiet && echo)
                    {
                        Console.WriteLine(line);
                    }
                };
                process.BeginOutputReadLine();
            }

            if (quiet)
            {
                process.BeginErrorReadLine();
            }

            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return quiet ? 127 : throw new BuildFailed($"cannot run {program}: {exception.Message}");
        }
    }

    /// <summary>Runs a program; the build fails, with this message, if it does.</summary>
    public static void Must(string program, string[] arguments, string failure)
    {
        if (Run(program, arguments) != 0)
        {
            throw new BuildFailed(failure);
        }
    }

    /// <summary>Does several things at once, and waits for all. The first failure is thrown.</summary>
    public static void SideBySide(params Action[] work)
    {
        try
        {
            Task.WaitAll([.. work.Select(Task.Run)]);
        }
        catch (AggregateException exception)
        {
            throw exception.InnerExceptions.FirstOrDefault(inner => inner is BuildFailed) ?? exception;
        }
    }
}
