using System.Diagnostics;
using CudaL2Net.Fuzz.Readers;

namespace CudaL2Net.Fuzz;

/// <summary>
/// Watches the worker, a process of its own: what kills it or makes it hang is a failure of the input at work, and the next worker goes on behind it.
/// </summary>
internal static class Watch
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Runs all inputs; returns the exit code.</summary>
    public static int Run(Settings settings, string[] args)
    {
        var watch = Stopwatch.StartNew();
        Reader[] readers = [.. settings.Readers.Select(AllReaders.Make)];
        long[] counts = Worker.Shares(readers, settings.Count);
        string boardFile = Path.GetTempFileName();
        try
        {
            using var board = new Board(boardFile, readers.Length);
            while (Enumerable.Range(0, readers.Length).Any(r => board.Done(r) < counts[r]))
            {
                long before = Enumerable.Range(0, readers.Length).Sum(board.Done);
                string? end = RunWorker([.. args, "--board", boardFile], board);
                if (end is null)
                {
                    continue;
                }

                if (Enumerable.Range(0, readers.Length).Sum(board.Done) == before && board.Done(board.Reader) == 0)
                {
                    Console.Error.WriteLine($"error: the reader {readers[board.Reader].Name} cannot be tested: {end}");
                    return 1;
                }

                Worker.Tell(settings, readers[board.Reader], board.Done(board.Reader), end);
                board.End(board.Reader, Outcome.Failed);
            }

            return Report(settings, readers, board, watch.Elapsed.TotalSeconds);
        }
        finally
        {
            File.Delete(boardFile);
        }
    }

    // How the worker ended, if not well.
    private static string? RunWorker(string[] args, Board board)
    {
        const int LastLines = 20;
        var start = new ProcessStartInfo(Environment.ProcessPath!, args) { RedirectStandardError = true, RedirectStandardInput = true };
        // Memory beyond this is an exception, and the machine stays usable.
        start.Environment["DOTNET_GCHeapHardLimit"] = $"{2L << 30:x}";
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process worker = Process.Start(start)!;

        // Native decoders complain here of what they are given; it is of interest only if the process dies.
        var said = new Queue<string>();
        worker.ErrorDataReceived += (_, line) =>
        {
            said.Enqueue(line.Data ?? "");
            while (said.Count > LastLines)
            {
                said.Dequeue();
            }
        };
        worker.BeginErrorReadLine();
        (int Reader, long Done) at = (-1, 0);
        var still = Stopwatch.StartNew();
        while (!worker.WaitForExit(200))
        {
            (int Reader, long Done) now = (board.Reader, board.Done(board.Reader));
            if (now != at)
            {
                at = now;
                still.Restart();
            }
            else if (still.Elapsed > Patience)
            {
                worker.Kill();
                worker.WaitForExit();
                return $"it did not end within {Patience.TotalSeconds:F0} s";
            }
        }

        worker.WaitForExit();
        return worker.ExitCode == 0 ? null : $"the process died, exit code {worker.ExitCode}\n{string.Join('\n', said)}";
    }

    private static int Report(Settings settings, Reader[] readers, Board board, double seconds)
    {
        long failed = 0, all = 0;
        Console.WriteLine($"{"reader",-16}{"inputs",9}{"refused",9}{"read",9}{"failed",9}");
        for (int r = 0; r < readers.Length; r++)
        {
            string ended = string.Concat(Enum.GetValues<Outcome>().Select(outcome => $"{board.Ended(r, outcome),9}"));
            Console.WriteLine($"{readers[r].Name,-16}{board.Done(r),9}{ended}");
            failed += board.Ended(r, Outcome.Failed);
            all += board.Done(r);
        }

        Console.WriteLine($"fuzz: seed {settings.Seed}, {all} inputs, {failed} failed; {seconds:F0} s, {board.Milliseconds / 1000.0:F0} s of processor time");
        return failed > 0 ? 1 : 0;
    }
}
