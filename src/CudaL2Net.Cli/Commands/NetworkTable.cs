using System.Text.Json.Nodes;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary>A network as a table of its layers: shapes, parameters, multiply-adds, and which kernels take them.</summary>
internal static class NetworkTable
{
    /// <summary>A row.</summary>
    /// <param name="Where">The tower, or the head.</param>
    /// <param name="Number">The layer's number, from 1.</param>
    /// <param name="Type">Its name in JSON.</param>
    /// <param name="Settings">Its sizes.</param>
    /// <param name="Output">The shape of its output for one patch.</param>
    /// <param name="Parameters">Trained numbers.</param>
    /// <param name="MultiplyAdds">Multiply-adds for one patch, or one pair, whose patches a tower may see one after the other.</param>
    internal sealed record Row(string Where, int Number, string Type, string Settings, string Output, long Parameters, long MultiplyAdds);

    /// <summary>A network.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="About">What it is.</param>
    /// <param name="Input">What it takes.</param>
    /// <param name="Gives">What comes out.</param>
    /// <param name="Layers">All layers.</param>
    /// <param name="Parameters">Trained numbers in all.</param>
    /// <param name="MultiplyAdds">Multiply-adds in all.</param>
    /// <param name="FastPaths">For each device how it is described and trained.</param>
    /// <param name="Description">Its description, as files have it.</param>
    internal sealed record Summary(
        string Name, string About, string Input, string Gives, IReadOnlyList<Row> Layers, long Parameters, long MultiplyAdds,
        IReadOnlyDictionary<string, string> FastPaths, JsonNode Description);

    /// <summary>What there is to say of a network.</summary>
    public static Summary Of(Network network)
    {
        var shaped = ShapedNetwork.Of(network);
        var rows = new List<Row>();
        for (int t = 0; t < shaped.Towers.Count; t++)
        {
            Add($"tower {t + 1}{(network.Towers.Count == 1 ? "" : $" ({network.Towers[t].View.ToString().ToLowerInvariant()}{(network.Towers[t].Trained ? "" : ", frozen")})")}",
                shaped.Towers[t],
                shaped.Passes);
        }

        Add("head", shaped.Head, 1);
        string channels = network.Input.Channels == 2 ? ", both patches of a pair as channels" : "";
        string gives = network.ScoresPairs ? "a score per pair of patches"
            : $"{shaped.Dimension} values per patch, {(network.Head.UnitVectors ? "unit vectors" : "of any length")}, compared by "
                + network.Head.Comparison switch
                {
                    DescriptorComparison.L2 => "Euclidean distance",
                    DescriptorComparison.Cosine => "cosine",
                    _ => "Hamming distance of their signs",
                };
        return new Summary(
            network.Name,
            network.About,
            $"patches of {network.Input.Side} x {network.Input.Side}{channels}, {Normalized(network)}",
            gives,
            rows,
            shaped.Parameters,
            shaped.MultiplyAdds,
            FastPaths.Of(shaped),
            NetworkFile.ToNode(network));

        void Add(string where, LayerChain chain, int passes) => rows.AddRange(chain.Layers.Select(layer => new Row(
            where, layer.Number, LayerKinds.NameOf(layer.Layer), layer.Layer.Summary, layer.Output.ToString(), layer.Parameters, passes * layer.MultiplyAdds)));
    }

    private static string Normalized(Network network)
    {
        NetworkInput input = network.Input;
        string number = input.Deviation == 1 ? "" : $" / {input.Deviation:R}", mean = input.Mean == 0 ? "" : $" - {input.Mean:R}";
        string normalized = input.Normalization switch
        {
            PatchNormalization.PerPatch => "normalized (x - mean of the patch) / deviation of the patch",
            PatchNormalization.L2Net => "normalized (y - mean of y) / deviation of y, y = x - mean image",
            PatchNormalization.Centred => $"normalized (x - mean of the patch){number}",
            _ when !input.MeanImage && mean.Length + number.Length == 0 => "grey values as they are, 0 to 255",
            _ => $"normalized (x{(input.MeanImage ? " - mean image" : "")}{mean}){number}",
        };
        return network.Towers.Any(tower => tower.Layers is [PixelScale, ..]) ? $"{normalized}, then times an image of factors" : normalized;
    }

    /// <summary>Writes the table.</summary>
    public static void Write(Summary summary, IAnsiConsole console)
    {
        console.WriteLine($"{summary.Name}: {summary.About}".TrimEnd(' ', ':'));
        console.WriteLine($"takes {summary.Input}; gives {summary.Gives}");
        Table table = new Table().Border(TableBorder.Simple);
        foreach (string column in (string[])["", "layer", "", "output"])
        {
            table.AddColumn(column);
        }

        table.AddColumn("parameters", column => column.RightAligned());
        table.AddColumn("multiply-adds", column => column.RightAligned());
        string before = "";
        foreach (Row row in summary.Layers)
        {
            table.AddRow(
                Markup.Escape(row.Where == before ? "" : row.Where), $"{row.Number}  {row.Type}", Markup.Escape(row.Settings), row.Output,
                row.Parameters == 0 ? "" : $"{row.Parameters:N0}", row.MultiplyAdds == 0 ? "" : $"{row.MultiplyAdds:N0}");
            before = row.Where;
        }

        table.AddRow("", "all", "", "", $"{summary.Parameters:N0}", $"{summary.MultiplyAdds:N0}");
        console.Write(table);
        foreach ((string device, string path) in summary.FastPaths)
        {
            console.WriteLine($"{device}: {path}");
        }
    }
}
