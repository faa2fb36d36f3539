using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate oxford</c>: Mikolajczyk's evaluation of descriptors.</summary>
internal static class EvaluateOxfordCommand
{
    private static readonly Argument<string[]> Folders = new("DIR")
    {
        Description = "Folders of sequences, or folders of such folders: img1.ppm to img6.ppm (pgm, png) and H1to2p to H1to6p.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> Detector = new("--detector")
    {
        Description = "The regions: sift (difference of Gaussians), mser, or files beside the images, img1.ppm.haraff or img1.ppm.hesaff.",
        HelpName = string.Join('|', RegionDetector.Names),
        DefaultValueFactory = _ => RegionDetector.Names[0],
    };

    private static readonly Option<int?> Keypoints = new("--keypoints")
    {
        Description = "For the detector sift: the most keypoints per image. The default is all.",
        HelpName = "N",
    };

    private static readonly Option<double> Magnification = new("--magnification")
    {
        Description = "How much longer the axes of the described patch are than those of the region; overlaps are measured with 3.",
        HelpName = "X",
        DefaultValueFactory = _ => RegionCorrespondences.MeasurementScale,
    };

    private static readonly Option<string> Images = new("--images")
    {
        Description = "The second images of the pairs.",
        HelpName = "2,3,...",
        DefaultValueFactory = _ => string.Join(',', OxfordEvaluation.UsualImages),
    };

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Detector.AcceptOnlyFromAmong([.. RegionDetector.Names]);
        var command = new ExampleCommand(
            "oxford",
            "Mikolajczyk's evaluation on the Oxford sequences: match elliptical regions by their descriptors; mean average precision by three strategies.",
            "cudal2net evaluate oxford oxford --method sift,rootsift,model,raw",
            "cudal2net evaluate oxford oxford/graf oxford/wall --detector hesaff --model runs/first --json")
        {
            Folders, CommonOptions.Model, Methods.Option, Methods.OnnxInput, Detector, Keypoints, Magnification, Images, RunOutput.Csv, RunOutput.Report,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string[] folders = line.GetRequiredValue(Folders);
        RegionDetector detector = OpenDetector(line, CommonOptions.CheckedThreads(line));
        double magnification = line.GetValue(Magnification);
        if (!(magnification > 0 && double.IsFinite(magnification)))
        {
            throw new UsageException($"--magnification {magnification}: it must be above 0");
        }

        int[] images = ParseImages(line.GetRequiredValue(Images));
        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll(folders);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Patches, "sift", "rootsift", "model");
        IReadOnlyList<IPatchDescriber> describers = methods.Describers;
        EvaluationRun run = terminal.WithProgress("evaluating", report => OxfordEvaluation.Evaluate(
            string.Join(", ", folders), sequences, describers, detector, magnification, images, report, device.Threads));
        if (RunOutput.WantsReport(line))
        {
            int keypoints = line.GetValue(Keypoints) ?? SequenceEvaluation.DefaultKeypoints;
            run = run with { Images = MatchedPair.OfSequences(sequences, describers, device, keypoints, images) };
        }

        RunOutput.Write(terminal, line, run, methods);
        return 0;
    }

    private static RegionDetector OpenDetector(ParseResult line, int threads)
    {
        string name = line.GetRequiredValue(Detector);
        int? limit = line.GetValue(Keypoints);
        return limit is null
            ? RegionDetector.Open(name, threads: threads)
            : limit < 1
                ? throw new UsageException($"--keypoints {limit}: it must be at least 1")
                : name == "sift"
                    ? RegionDetector.Open(name, limit.Value, threads)
                    : throw new UsageException($"--keypoints is for the detector sift; {name} gives regions without a strength to choose them by");
    }

    private static int[] ParseImages(string text)
    {
        var images = new List<int>();
        foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!NumberText.TryParse(word, out int image) || image < 2 || images.Contains(image))
            {
                throw new UsageException($"--images {text}: name numbers from 2 on, each once", "--images 2,3,4,5,6");
            }

            images.Add(image);
        }

        return [.. images];
    }
}
