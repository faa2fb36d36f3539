using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Networks;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net export</c>: a model for other programs.</summary>
internal static class ExportCommand
{
    private static readonly Option<string> Format = new("--format", "-f") { Description = "onnx or safetensors.", HelpName = "FORMAT", Required = true };

    private static readonly Option<string> Out = new("--out", "-o") { Description = "The file to write.", HelpName = "FILE", Required = true };

    private static readonly Option<bool> Half = new("--half") { Description = "safetensors: round the filters to float16, which halves the file." };

    private static readonly Option<bool> Unfinished = new("--unfinished")
    {
        Description = "Write the model of a training that was not at its end, too. The file says so.",
    };

    private sealed record Export(string Format, string Out, long Bytes, string? Unfinished);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Format.AcceptOnlyFromAmong("onnx", "safetensors");
        var command = new ExampleCommand(
            "export",
            "Write a model for other programs: ONNX (normalization, folded batch normalization and unit vector inside; batch size free), or safetensors.",
            "cudal2net export --model runs/first --format onnx --out first.onnx",
            "cudal2net export --model runs/first --format safetensors --half --out first.safetensors")
        {
            CommonOptions.Model, Format, Out, Half, Unfinished,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string format = line.GetRequiredValue(Format), output = line.GetRequiredValue(Out);
        bool half = line.GetValue(Half);
        if (half && format == "onnx")
        {
            throw new UsageException("--half is for --format safetensors; ONNX files are float32");
        }

        string? path = line.GetValue(CommonOptions.Model);
        ModelFile model = path is null ? PatchModel.ReadDefault() : ModelInput.Read(path, terminal);
        if (model.Unfinished is { } position && !line.GetValue(Unfinished))
        {
            throw new UsageException(
                $"--model {path}: the training is unfinished ({position})",
                "cudal2net train --out FOLDER --resume ends it; --unfinished exports the model as it is");
        }

        if (format == "onnx")
        {
            OnnxExporter.Write(output, model, model.CompleteMetadata());
        }
        else
        {
            model.Write(output, half);
        }

        var result = new Export(format, output, new FileInfo(output).Length, model.Unfinished);
        terminal.Result(result, console => console.WriteLine($"wrote {output} ({result.Bytes / 1024:N0} KiB)"));
        return 0;
    }
}
