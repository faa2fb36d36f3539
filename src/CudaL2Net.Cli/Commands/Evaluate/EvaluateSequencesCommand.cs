using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate sequences</c>: keypoint matching on image sequences.</summary>
internal static class EvaluateSequencesCommand
{
    private static readonly Argument<string[]> Folders = new("DIR")
    {
        Description = "Folders of sequences, or folders of such folders: img1.ppm, img2.ppm, H1to2p, ... (Oxford) or 1.ppm, 2.ppm, H_1_2, ... (HPatches).",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<int> Keypoints = new("--keypoints")
    {
        Description = "The most keypoints per image.",
        HelpName = "N",
        DefaultValueFactory = _ => SequenceEvaluation.DefaultKeypoints,
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Evaluate the model's binary form too." };

    private static readonly Option<bool> Untrained = new("--untrained") { Description = "Evaluate an untrained network too." };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "sequences",
            "Match keypoints between the first and each other image of sequences with known homographies; mean average precision beside SIFT and RootSIFT.",
            "cudal2net evaluate sequences oxford/graf oxford/wall --model runs/first",
            "cudal2net evaluate sequences oxford --method sift,rootsift,model,binary,raw --method model:runs/second",
            "cudal2net evaluate sequences oxford --method import:tfeat-liberty.params,import:tfeat-liberty.params@scale=6",
            "cudal2net evaluate sequences hpatches-sequences --json > results.json")
        {
            Folders, CommonOptions.Model, Methods.Option, Methods.OnnxInput, Binary, Untrained, Keypoints, CommonOptions.MaxSide,
            RunOutput.Csv, RunOutput.Report, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    /// <summary>Evaluates with a progress display.</summary>
    public static SequenceResults Evaluate(
        Terminal terminal,
        Device device,
        IReadOnlyList<ImageSequence> sequences,
        IReadOnlyList<IKeypointDescriber> methods,
        int keypoints = SequenceEvaluation.DefaultKeypoints,
        int? maxSide = null)
    {
        int pairs = sequences.Sum(sequence => sequence.Others.Count);
        return terminal.WithProgress("evaluating", report => new SequenceEvaluation(device, keypoints, maxSide: maxSide)
            .Evaluate(sequences, methods, new Reporter<int>(done => report((double)done / pairs, $"pair {done} of {pairs}"))));
    }

    /// <summary>The results as a table: a row a method, a column a sequence.</summary>
    public static Table ToTable(SequenceResults results)
    {
        const int MostColumns = 12;
        string[] sequences = [.. results.Methods[0].Sequences.Keys];
        string[] shown = sequences.Length <= MostColumns ? sequences : [];
        Table table = new Table().Border(TableBorder.Simple).AddColumn("mAP");
        foreach (string heading in shown.Append("mean").Append("FPR95"))
        {
            table.AddColumn(heading, column => column.RightAligned());
        }

        double best = results.Methods.Max(method => method.Mean);
        foreach (MethodResult method in results.Methods)
        {
            string mean = $"{method.Mean:F3}";
            table.AddRow([
                Markup.Escape(method.Name),
                .. shown.Select(sequence => method.Sequences.TryGetValue(sequence, out double value) ? $"{value:F3}" : "-"),
                method.Mean == best ? $"[bold]{mean}[/]" : mean,
                $"{method.Fpr95:P2}",
            ]);
        }

        return table;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll(line.GetRequiredValue(Folders));
        using Device device = CommonOptions.OpenDevice(line, terminal);
        List<string> usual = ["sift", "rootsift", "model"];
        usual.AddRange(line.GetValue(Binary) ? ["binary"] : []);
        usual.AddRange(line.GetValue(Untrained) ? ["untrained"] : []);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Keypoints, usual);
        IReadOnlyList<IPatchDescriber> describers = methods.Describers;
        SequenceResults results = Evaluate(terminal, device, sequences, [.. describers.Select(method => CutPatchDescriber.For(method, device.Threads))],
            line.GetValue(Keypoints), CommonOptions.CheckedMaxSide(line));
        terminal.Result(results, console =>
        {
            console.Write(ToTable(results));
            console.WriteLine(results.Measure);
        });
        EvaluationRun run = results.ToRun(string.Join(", ", line.GetRequiredValue(Folders)));
        RunOutput.WriteCsv(line, run);
        if (RunOutput.WantsReport(line))
        {
            IReadOnlyList<DescriptorStatistics> statistics = methods.Statistics();
            RunOutput.WriteReport(
                terminal, line, run with { Descriptors = statistics, Images = MatchedPair.OfSequences(sequences, describers, device, line.GetValue(Keypoints)) });
        }

        return 0;
    }
}
