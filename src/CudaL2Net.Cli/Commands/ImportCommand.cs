using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Networks;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net import</c>: a model of weights that others published.</summary>
internal static class ImportCommand
{
    private static readonly Argument<string> File = new("FILE")
    {
        Description = "Weights: HardNet, HardNet++, SOSNet, HyNet, TFeat (.pth, .pt, .params of PyTorch), L2-Net, TNet (.mat of MATLAB, 5 and 7.3), DeepDesc (.t7 of Torch 7).",
    };

    private static readonly Option<string?> Network = new("--network", "-n")
    {
        Description = "The network that the weights are of. The default is to know it by its tensors. cs-l2net takes both towers of an L2-Net file, l2net the first.",
        HelpName = "NAME|FILE.json",
    };

    private static readonly Option<double> PatchScale = new("--patch-scale")
    {
        Description = "The side of a patch around a keypoint, in its diameters (SIFT: two sigma).",
        HelpName = "X",
        DefaultValueFactory = _ => 10,
    };

    private static readonly Option<string> Out = new("--out", "-o") { Description = "The model to write.", HelpName = "FILE", Required = true };

    private sealed record Import(string Out, long Bytes, string Network, string? Published, string Takes, string Gives, double PatchScale);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "import",
            "Make a model of weights that others published. Nothing in a file is executed. The model is used like one of your own.",
            "cudal2net import HardNet++.pth --out hardnet++.safetensors",
            "cudal2net import L2Net-LIB+.mat --network cs-l2net --out cs-l2net.safetensors",
            "cudal2net evaluate sequences graf --method sift,model:hardnet++.safetensors,model:hardnet++.safetensors@scale=14")
        {
            File, Network, PatchScale, Out,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string output = line.GetRequiredValue(Out);
        double scale = line.GetRequiredValue(PatchScale);
        if (scale is not (>= 1 and <= 100))
        {
            throw new UsageException($"--patch-scale {scale}: it must be 1 to 100");
        }

        string? name = line.GetValue(Network);
        ModelFile model = ModelImport.Read(line.GetRequiredValue(File), name is null ? null : CommonOptions.FindNetwork(name), scale);
        model.Write(output);
        NetworkTable.Summary network = NetworkTable.Of(model.Network);
        var result = new Import(
            output, new FileInfo(output).Length, network.Name, model.Metadata.GetValueOrDefault("published"), network.Input, network.Gives, scale);
        terminal.Result(result, console =>
        {
            console.WriteLine($"wrote {output} ({result.Bytes / 1024:N0} KiB): {result.Published ?? result.Network}");
            console.WriteLine($"takes {result.Takes}; gives {result.Gives}");
        });
        return 0;
    }
}
