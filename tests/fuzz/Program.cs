using System.Globalization;
using CudaL2Net.Fuzz.Disk;
using CudaL2Net.Fuzz.Readers;

namespace CudaL2Net.Fuzz;

/// <summary>Gives damaged files to every reader of the project: a reader must refuse a file by name, or read it.</summary>
internal static class Program
{
    private const string Usage = """
        usage: CudaL2Net.Fuzz [--count N] [--seed S] [--reader NAME]... [--out FOLDER]     N damaged files, shared among the readers (10000)
               CudaL2Net.Fuzz --reader NAME --case K [--seed S]                            one of them once more, with the whole error
               CudaL2Net.Fuzz --disk COMMAND [--places N]                                  train, describe, match, evaluate or export on a disk
                                                                                           that fails, at all calls or at N of each kind
        Files that a reader fails on are kept in FOLDER (artifacts/fuzz). The exit code is 1 if there are any.
        """;

    private static int Main(string[] args)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        if (!Settings.TryParse(args, AllReaders.Names, AllReaders.Usual, out Settings settings, out string wrong))
        {
            Console.Error.WriteLine($"error: {wrong}\n{Usage}");
            return 2;
        }

        if (settings.Disk is { } command)
        {
            return DiskFaults.Run(command, settings.Places);
        }

        return settings.Case is { } number ? Worker.Replay(settings, number)
            : settings.Board is { } board ? Worker.Run(settings, board)
            : Watch.Run(settings, args);
    }
}
