using CudaL2Net.Fuzz.Mutations;
using CudaL2Net.Fuzz.Readers;

namespace CudaL2Net.Fuzz;

/// <summary>Reads the inputs, one after the other.</summary>
internal static class Worker
{
    /// <summary>Goes on where the board says, to the end; returns the exit code.</summary>
    public static int Run(Settings settings, string boardFile)
    {
        // The one who watches holds the other end of this input; if that process is gone, so is the need for this one.
        new Thread(() =>
        {
            Console.OpenStandardInput().ReadByte();
            Environment.Exit(1);
        })
        { IsBackground = true }.Start();
        Reader[] readers = [.. settings.Readers.Select(AllReaders.Make)];
        long[] counts = Shares(readers, settings.Count);
        using var board = new Board(boardFile, readers.Length);
        long before = board.Milliseconds;
        string root = Root();
        try
        {
            for (int r = 0; r < readers.Length; r++)
            {
                if (board.Done(r) >= counts[r])
                {
                    continue;
                }

                board.Reader = r;
                using var trial = new Trial(readers[r], root);
                for (long number = board.Done(r); number < counts[r]; number++)
                {
                    Damaged damaged = Mutator.Make(readers[r], settings.Seed, number);
                    Outcome outcome = trial.Run(damaged, out string why);
                    if (outcome == Outcome.Failed)
                    {
                        Tell(settings, readers[r], number, why);
                    }

                    board.End(r, outcome);
                }

                board.Milliseconds = before + (long)Environment.CpuUsage.TotalTime.TotalMilliseconds;
            }

            return 0;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>Reads one input once more, and says all about it; returns the exit code.</summary>
    public static int Replay(Settings settings, long number)
    {
        Reader reader = AllReaders.Make(settings.Readers[0]);
        string root = Root();
        try
        {
            using var trial = new Trial(reader, root);
            Damaged damaged = Mutator.Make(reader, settings.Seed, number);
            Outcome outcome = trial.Run(damaged, out string why);
            string kept = Keep(settings, reader, number);
            Console.WriteLine($"{reader.Name}, case {number}, from the sample '{damaged.Sample.Name}', {damaged.Bytes.Length} bytes, kept as {kept}");
            Console.WriteLine(outcome == Outcome.Failed ? $"failed: {why}" : outcome == Outcome.Read ? "it was read" : "it was refused by name");
            return outcome == Outcome.Failed ? 1 : 0;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>Keeps an input, and says how it failed.</summary>
    public static void Tell(Settings settings, Reader reader, long number, string why)
    {
        const int Most = 1500;
        string kept = Keep(settings, reader, number);
        string shown = why.Length > Most ? why[..Most] + "..." : why;
        Console.WriteLine($"FAILED: --seed {settings.Seed} --reader {reader.Name} --case {number} ({kept})\n  {shown}");
    }

    /// <summary>How many inputs each reader gets.</summary>
    public static long[] Shares(IReadOnlyList<Reader> readers, long count)
    {
        double all = readers.Sum(reader => reader.Share);
        return [.. readers.Select(reader => Math.Max(reader.Samples.Count, (long)Math.Ceiling(count * reader.Share / all)))];
    }

    private static string Keep(Settings settings, Reader reader, long number)
    {
        Directory.CreateDirectory(settings.Out);
        string path = Path.Combine(settings.Out, $"{reader.Name}-{settings.Seed}-{number}{Path.GetExtension(reader.File)}");
        File.WriteAllBytes(path, Mutator.Make(reader, settings.Seed, number).Bytes);
        return path;
    }

    // In memory where there is such a folder: a disk would be worn out by a million files.
    private static string Root()
    {
        string parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string root = Path.Combine(parent, $"cudal2net-fuzz-{Guid.NewGuid():N}");
        Directory.CreateDirectory(root);
        return root;
    }
}
