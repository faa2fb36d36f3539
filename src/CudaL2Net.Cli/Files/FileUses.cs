using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Commands;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Networks;
using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Cli.Files;

/// <summary>What a text on the command line stands for.</summary>
internal abstract record FileUse
{
    /// <summary>A word that names no file.</summary>
    public sealed record Word : FileUse;

    /// <summary>Files and folders that are read.</summary>
    /// <param name="Files">Finds them from the line and the text.</param>
    public sealed record Reads(Func<ParseResult, string, IEnumerable<string>> Files) : FileUse;

    /// <summary>Files and folders that are written.</summary>
    /// <param name="Places">Finds them from the line and the text.</param>
    public sealed record Writes(Func<ParseResult, string, IEnumerable<OutputPlace>> Places) : FileUse;
}

/// <summary>The table of all options and arguments that are texts: which of them name files, and which files.</summary>
internal static class FileUses
{
    private static readonly FileUse Word = new FileUse.Word();
    private static readonly FileUse Input = Reads(path => [path]);
    private static readonly FileUse Model = Reads(path => [path, .. ModelIn(path)]);
    private static readonly FileUse Source = Reads(text => text.Split(':', 2) is [_, { Length: > 0 } path] ? [path] : []);
    private static readonly FileUse Network = Reads(name => NetworkFile.Names.Contains(name) ? [] : [name]);
    private static readonly FileUse Methods = Reads(text =>
        from word in MethodWords.Split(text)
        from path in MethodWords.CutScale(word).Method.Split(':', 2).Skip(1)
        from file in new[] { path }.Concat(ModelIn(path))
        select file);
    private static readonly FileUse Output = Writes((_, path) => [OutputPlace.File(path)]);

    // A name alone holds for all commands; one with a command before it, for that command.
    private static readonly Dictionary<string, FileUse> Table = new()
    {
        ["A"] = Input,
        ["A.json"] = Input,
        ["B"] = Input,
        ["B.json"] = Input,
        ["DIR"] = Input,
        ["INPUT"] = Input,
        ["match A"] = Reads(path => [PatchInput.FileOf(path)]),
        ["match B"] = Reads(path => [PatchInput.FileOf(path)]),
        ["--as"] = Word,
        ["--brown"] = Input,
        ["--colmap"] = Input,
        ["--csv"] = Output,
        ["--data"] = Source,
        ["--database"] = Output,
        ["--descriptors"] = Word,
        ["--detector"] = Word,
        ["--device"] = Word,
        ["--features"] = Input,
        ["--filter"] = Word,
        ["--format"] = Word,
        ["--hpatches"] = Input,
        ["--images"] = Input,
        ["--init"] = Model,
        ["--keypoints"] = Input,
        ["--keypoints-out"] = Output,
        ["--matches"] = Input,
        ["--mask"] = Input,
        ["--method"] = Methods,
        ["--model"] = Model,
        ["--network"] = Network,
        ["--onnx-input"] = Word,
        ["--out"] = Output,
        ["--paper"] = Word,
        ["--plot"] = Output,
        ["--preset"] = Word,
        ["--report"] = Writes((_, path) => RunOutput.PlacesOf(path)),
        ["--rows"] = Word,
        ["--sequences"] = Input,
        ["--set"] = Word,
        ["--split"] = Word,
        ["--tasks"] = Word,
        ["--train-set"] = Word,
        ["--validation"] = Source,
        ["--camera-model"] = Word,
        ["--camera-params"] = Word,
        ["--pairs"] = Reads(text => ImagePairs.IsFile(text) ? [text] : []),
        ["data make-brown --out"] = Writes((_, path) => [OutputPlace.Tree(path)]),
        ["demo --out"] = Writes((_, path) => DemoCommand.PlacesOf(path)),
        ["describe --out"] = Writes((line, path) => DescribeImages.IsFeatures(path) ? DescribeImages.PlacesOf(path) : [OutputPlace.File(path), .. DescribeCommand.KeypointsBeside(line, path).Select(OutputPlace.File)]),
        ["describe INPUT"] = Reads(path => [PatchInput.FileOf(path)]),
        ["evaluate brown --pairs"] = new FileUse.Reads((line, name) => line.GetValue<string>("DIR") is { } folder ? [Path.Combine(folder, name)] : []),
        ["evaluate oxford --images"] = Word,
        ["import FILE"] = Input,
        ["match --out"] = Writes((_, path) => DescribeImages.IsFeatures(path) ? DescribeImages.PlacesOf(path) : [OutputPlace.File(path)]),
        ["reproduce figure3 --out"] = Writes((_, path) => [OutputPlace.Tree(path)]),
        ["reproduce table1 --out"] = Writes((_, path) => [OutputPlace.Tree(path)]),
        ["reproduce table2 --out"] = Writes((_, path) => [OutputPlace.Tree(path)]),
        ["train --out"] = Writes((_, path) => TrainingRun.PlacesOf(path)),
    };

    /// <summary>What an option or argument stands for; null where its value is no text.</summary>
    /// <exception cref="NotSupportedException">It is a text that the table does not have.</exception>
    public static FileUse? Of(Command command, Symbol symbol)
    {
        if (symbol is not (Option<string> or Option<string[]> or Argument<string> or Argument<string[]>))
        {
            return null;
        }

        string name = $"{NameOf(command)}{symbol.Name}";
        return Table.GetValueOrDefault(name) ?? Table.GetValueOrDefault(symbol.Name)
            ?? throw new NotSupportedException($"{name} is a text: say here whether it names files");
    }

    /// <summary>The options and arguments of a command.</summary>
    public static IEnumerable<Symbol> SymbolsOf(Command command) => command.Arguments.Concat<Symbol>(command.Options);

    /// <summary>The texts that a line gives an option or argument, or that it has where the line gives none.</summary>
    public static string[] TextsOf(ParseResult line, Symbol symbol) => symbol switch
    {
        Option<string> option => line.GetValue(option) is { } text ? [text] : [],
        Argument<string> argument => line.GetValue(argument) is { } text ? [text] : [],
        Option<string[]> option => line.GetValue(option) ?? [],
        Argument<string[]> argument => line.GetValue(argument) ?? [],
        _ => [],
    };

    // "evaluate brown ", without the tool's own name.
    private static string NameOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{NameOf(parent)}{command.Name} " : string.Empty;

    private static FileUse.Reads Reads(Func<string, IEnumerable<string>> files) => new((_, text) => files(text));

    private static FileUse.Writes Writes(Func<ParseResult, string, IEnumerable<OutputPlace>> places) => new(places);

    private static string[] ModelIn(string path)
    {
        try
        {
            return [ModelInput.FileOf(path)];
        }
        catch (FileNotFoundException)
        {
            // The command says what is missing.
            return [];
        }
    }
}
