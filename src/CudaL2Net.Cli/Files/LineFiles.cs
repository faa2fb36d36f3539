using System.CommandLine;
using System.CommandLine.Parsing;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Formats;

namespace CudaL2Net.Cli.Files;

/// <summary>
/// The files that a command line names, checked before the command does anything: no output may be an input or another output, by whatever path, and every
/// output must be writable.
/// </summary>
internal static class LineFiles
{
    /// <summary>Makes every option and argument that names files take <c>~/</c> for the home folder, also behind <c>KIND:</c>, where a shell leaves it.</summary>
    public static void ReadPaths(Command command)
    {
        foreach (Symbol symbol in FileUses.SymbolsOf(command).Where(symbol => FileUses.Of(command, symbol) is FileUse.Reads or FileUse.Writes))
        {
            switch (symbol)
            {
                case Option<string> one: one.CustomParser = result => Paths(one.Name, result) is [.., var last] ? last : null; break;
                case Option<string[]> several: several.CustomParser = result => Paths(several.Name, result); break;
                case Argument<string> one: one.CustomParser = result => Paths(one.Name, result) is [.., var last] ? last : null; break;
                case Argument<string[]> several: several.CustomParser = result => Paths(several.Name, result); break;
            }
        }

        foreach (Command sub in command.Subcommands)
        {
            ReadPaths(sub);
        }
    }

    /// <summary>Checks the files of a line.</summary>
    /// <exception cref="UsageException">An output is an input or another output.</exception>
    /// <exception cref="IOException">An output cannot be written.</exception>
    public static void Check(ParseResult line)
    {
        Command command = line.CommandResult.Command;
        var inputs = new List<(string Name, string Path)>();
        var outputs = new List<(string Name, OutputPlace Place)>();
        foreach (Symbol symbol in FileUses.SymbolsOf(command))
        {
            foreach (string text in FileUses.TextsOf(line, symbol))
            {
                switch (FileUses.Of(command, symbol))
                {
                    case FileUse.Reads reads: inputs.AddRange(reads.Files(line, text).Select(path => (symbol.Name, path))); break;
                    case FileUse.Writes writes: outputs.AddRange(writes.Places(line, text).Select(place => (symbol.Name, place))); break;
                }
            }
        }

        for (int i = 0; i < outputs.Count; i++)
        {
            (string name, OutputPlace place) = outputs[i];
            foreach ((string input, string path) in inputs.Where(input => Destroys(place, input.Path)))
            {
                throw new UsageException(
                    $"{name} {place.Path} would overwrite what {input} reads ({path}); nothing was changed", $"choose another place for {name}");
            }

            foreach ((string other, OutputPlace same) in outputs.Take(i).Where(before => RealPath.AreSame(before.Place.Path, place.Path)))
            {
                throw new UsageException($"{other} and {name} would write the same file, {same.Path}; nothing was changed", $"choose another place for {name}");
            }
        }

        foreach ((_, OutputPlace place) in outputs)
        {
            place.RequireWritable();
        }
    }

    private static bool Destroys(OutputPlace place, string input) =>
        RealPath.AreSame(place.Path, input)
        || (place.Kind == OutputKind.Tree && RealPath.IsWithin(input, place.Path))
        || (place.Kind is OutputKind.File or OutputKind.FileAndFolder && File.Exists(place.Path) && Directory.Exists(input)
            && DataFile.IsName(Path.GetFileName(RealPath.Of(place.Path))) && RealPath.IsWithin(place.Path, input));

    private static string[] Paths(string name, ArgumentResult result)
    {
        if (result.Tokens.Any(token => string.IsNullOrWhiteSpace(token.Value)))
        {
            result.AddError($"{name} (empty): expected the name of a file or folder");
        }

        return [.. result.Tokens.Select(token => HomeFolder.Expand(token.Value))];
    }
}
