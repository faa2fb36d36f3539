using System.CommandLine;
using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Evaluation;
using CudaL2Net.Models;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net evaluate brown</c>: FPR95, ROC and AP on one set of Brown's PhotoTour data.</summary>
internal static class EvaluateBrownCommand
{
    private static readonly Argument<string> Folder = new("DIR") { Description = "A folder with patches0000.bmp, info.txt and a list of test pairs." };

    private static readonly Option<string> Pairs = new("--pairs")
    {
        Description = "The list of test pairs in the folder.",
        HelpName = "FILE",
        DefaultValueFactory = _ => BrownDataset.DefaultPairs,
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Evaluate the model's binary form (Hamming distance)." };

    private sealed record Point(double FalsePositiveRate, double Recall, double Precision);

    private sealed record BrownResult(
        string Set,
        string Model,
        bool Binary,
        long Matches,
        long NonMatches,
        double Fpr95,
        double Auc,
        double AveragePrecision,
        string Definition,
        IReadOnlyList<Point> Curve);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "brown",
            "Tell matching from non-matching patches of Brown's PhotoTour data: FPR95, ROC, average precision.",
            "cudal2net evaluate brown phototour/notredame --model runs/liberty",
            "cudal2net evaluate brown phototour/yosemite --binary --json")
        {
            Folder, CommonOptions.Model, Pairs, Binary, CommonOptions.Device, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        BrownDataset set = BrownDataset.Open(line.GetRequiredValue(Folder));
        PatchPair[] pairs = set.ReadPairs(line.GetRequiredValue(Pairs));
        bool binary = line.GetValue(Binary);
        using Device device = CommonOptions.OpenDevice(line);
        using L2Net model = CommonOptions.LoadModel(line, device);
        float[] distances = Distances(set, pairs, model, binary, terminal);
        RocCurve roc = RocCurve.FromDistances(distances, Array.ConvertAll(pairs, pair => pair.IsMatch));
        var result = new BrownResult(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(set.Folder)),
            CommonOptions.ModelName(line),
            binary,
            roc.Matches,
            roc.NonMatches,
            roc.Fpr95,
            roc.Auc,
            roc.AveragePrecision,
            "FPR95: non-matches strictly before the first position at which 95% of the matches are reached, in a stable sort by distance, over all non-matches",
            Thin(roc.Points));
        terminal.Result(result, console => console.Write(new Table().Border(TableBorder.Simple)
            .AddColumns("set", "matches", "non-matches", "FPR95", "AUC", "AP")
            .AddRow(
                Markup.Escape(result.Set),
                $"{result.Matches}",
                $"{result.NonMatches}",
                $"[bold]{result.Fpr95:P2}[/]",
                $"{result.Auc:F5}",
                $"{result.AveragePrecision:F5}")));
        return 0;
    }

    // Only the patches that the pairs name are described, a mosaic at a time.
    private static float[] Distances(BrownDataset set, PatchPair[] pairs, L2Net model, bool binary, Terminal terminal)
    {
        const int Area = BrownDataset.PatchSide * BrownDataset.PatchSide;
        int[] row = new int[set.Count];
        Array.Fill(row, -1);
        int used = 0;
        foreach (int patch in pairs.SelectMany(pair => new[] { pair.First, pair.Second }).Order())
        {
            if (row[patch] < 0)
            {
                row[patch] = used++;
            }
        }

        var descriptors = new float[used * (long)model.Dimension];
        terminal.WithProgress("describing", report =>
        {
            int patch = 0, described = 0;
            foreach (byte[] block in set.ReadPatches())
            {
                IEnumerable<int> rows = Enumerable.Range(0, block.Length / Area).Where(i => row[patch + i] >= 0);
                byte[] wanted = [.. rows.SelectMany(i => new ArraySegment<byte>(block, i * Area, Area))];
                int count = wanted.Length / Area;
                model.Describe(wanted, BrownDataset.PatchSide, descriptors.AsSpan(described * model.Dimension, count * model.Dimension));
                described += count;
                patch += block.Length / Area;
                report((double)patch / set.Count, $"{described} patches");
            }

            return described;
        });
        return Array.ConvertAll(pairs, pair => Distance(row[pair.First], row[pair.Second]));

        float Distance(int first, int second)
        {
            ReadOnlySpan<float> a = descriptors.AsSpan(first * model.Dimension, model.Dimension);
            ReadOnlySpan<float> b = descriptors.AsSpan(second * model.Dimension, model.Dimension);
            double sum = 0;
            for (int d = 0; d < a.Length; d++)
            {
                double difference = binary ? (a[d] > 0 ? 1 : 0) - (b[d] > 0 ? 1 : 0) : a[d] - b[d];
                sum += difference * difference;
            }

            return (float)(binary ? sum : Math.Sqrt(sum));
        }
    }

    private static Point[] Thin(IReadOnlyList<RocPoint> points)
    {
        const int Most = 200;
        return [.. Enumerable.Range(0, Math.Min(Most, points.Count))
            .Select(i => points[(int)((long)i * (points.Count - 1) / Math.Max(1, Math.Min(Most, points.Count) - 1))])
            .Select(point => new Point(point.FalsePositiveRate, point.Recall, point.Precision))];
    }
}
