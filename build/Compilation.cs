using System.Collections.Concurrent;
using System.Diagnostics;

namespace CudaL2Net.Build;

/// <summary>One run of a compiler: its flags, the file that it reads and the file that it writes. Paths are relative to the repository.</summary>
/// <param name="Program">The compiler.</param>
/// <param name="Flags">Its flags.</param>
/// <param name="Source">The file that it reads.</param>
/// <param name="Output">The file that it writes.</param>
/// <param name="Notes">A file, without its ending, beside which the build keeps what the output depends on.</param>
internal sealed record Compilation(string Program, string[] Flags, string Source, string Output, string Notes)
{
    // What was run, and which files the compiler read.
    private string CommandFile => Folders.In(Notes + ".command");

    private string DependenciesFile => Folders.In(Notes + ".d");

    private string Command => string.Join(' ', [Program, .. Flags, Source]);

    /// <summary>Runs those compilations that are due, several at a time; returns how many.</summary>
    /// <param name="steps">The compilations.</param>
    /// <param name="report">What a compiler says goes to the file that this names. Without it, it is shown.</param>
    /// <exception cref="BuildFailed">A file did not compile.</exception>
    public static int RunDue(IReadOnlyList<Compilation> steps, Func<Compilation, string>? report = null)
    {
        // Large files first, so that no core is left alone with one at the end.
        List<Compilation> due = [.. steps.Where(step => step.Due()).OrderByDescending(step => new FileInfo(Folders.In(step.Source)).Length)];
        int failures = 0;
        Parallel.ForEach(Partitioner.Create(due, EnumerablePartitionerOptions.NoBuffering), new() { MaxDegreeOfParallelism = Environment.ProcessorCount }, step =>
        {
            if (!step.Run(due, report?.Invoke(step)))
            {
                Interlocked.Increment(ref failures);
            }
        });
        return failures == 0 ? due.Count : throw new BuildFailed($"{failures} of {due.Count} files did not compile");
    }

    // Due: never done, done with other flags, or a file that was read has changed since.
    private bool Due()
    {
        string output = Folders.In(Output);
        if (!File.Exists(output) || !File.Exists(CommandFile) || File.ReadAllText(CommandFile) != Command)
        {
            return true;
        }

        DateTime written = File.GetLastWriteTimeUtc(output);
        return Dependencies().Any(file => !File.Exists(file) || File.GetLastWriteTimeUtc(file) > written);
    }

    // The compiler's list is a rule of make: `output: file file \ file`.
    private IEnumerable<string> Dependencies()
    {
        string[] read = !File.Exists(DependenciesFile)
            ? []
            : File.ReadAllText(DependenciesFile).Replace("\\\r\n", " ").Replace("\\\n", " ").Split(": ", 2)[^1]
                .Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
        return read.Append(Source).Select(file => Folders.In(file));
    }

    private bool Run(object console, string? report)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Folders.In(Notes))!);
        string[] dependencies = Program == "ptxas" ? [] : ["-MMD", "-MF", Notes + ".d"];
        var start = new ProcessStartInfo(Program, [.. Flags, .. dependencies, Source, "-o", Output])
        {
            WorkingDirectory = Folders.Root,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        lock (console)
        {
            if (report != null && process.ExitCode == 0)
            {
                File.WriteAllText(report, messages);
            }
            else
            {
                Console.Error.Write(messages);
            }
        }

        if (process.ExitCode != 0)
        {
            File.Delete(Folders.In(Output));
            return false;
        }

        File.WriteAllText(CommandFile, Command);
        return true;
    }
}
