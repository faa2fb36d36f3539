using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net export</c>: a model for other programs.</summary>
internal static class ExportCommand
{
    private static readonly Option<string> Format = new("--format", "-f") { Description = "onnx or safetensors.", HelpName = "FORMAT", Required = true };

    private static readonly Option<string> Out = new("--out", "-o") { Description = "The file to write.", HelpName = "FILE", Required = true };

    private static readonly Option<bool> Half = new("--half") { Description = "safetensors: round the filters to float16, which halves the file." };

    private sealed record Export(string Format, string Out, long Bytes);

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
            CommonOptions.Model, Format, Out, Half,
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

        using Device device = Device.Open("cpu");
        using PatchModel model = CommonOptions.LoadModel(line, device);
        if (format == "onnx")
        {
            OnnxExporter.Write(output, model.File, model.Metadata);
        }
        else
        {
            model.File.Write(output, half);
        }

        var result = new Export(format, output, new FileInfo(output).Length);
        terminal.Result(result, console => console.WriteLine($"wrote {output} ({result.Bytes / 1024:N0} KiB)"));
        return 0;
    }
}
