using System.CommandLine;
using System.Globalization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Colmap;
using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Cli.Commands.Evaluate;

/// <summary><c>cudal2net evaluate sfm</c>: structure from motion with COLMAP, end to end.</summary>
internal static class EvaluateSfmCommand
{
    private static readonly Argument<string> Folder = new("DIR") { Description = "The folder with the photographs of one scene." };

    private static readonly Option<double[]> Ratios = new("--ratio")
    {
        Description = "The ratios of the test of matches: each method is measured at each. Distances are spread differently, so one ratio is not fair to all.",
        HelpName = "R",
        DefaultValueFactory = _ => [0.7, 0.76, 0.8, 0.85, 0.92],
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<int> Keypoints = new("--keypoints")
    {
        Description = "The most keypoints per image, the same for all methods.",
        HelpName = "N",
        DefaultValueFactory = _ => 2000,
    };

    private sealed record Outcome(long Inliers, int Registered, int Points, long Observations, double TrackLength, double Error);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "sfm",
            "Reconstruct a scene with COLMAP from each method's matches of the same keypoints: images, points, observations, reprojection error. Needs `colmap` (Debian, "
                + "Ubuntu: apt-get install colmap).",
            "cudal2net evaluate sfm photos --method model,rootsift",
            "cudal2net evaluate sfm photos --method model --method model:runs/second --ratio 0.8 0.85 0.9 --csv sfm.csv")
        {
            Folder, CommonOptions.Model, Methods.Option, Methods.OnnxInput, Ratios, Keypoints, CommonOptions.MaxSide, RunOutput.Csv, RunOutput.Report,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        double[] ratios = [.. (line.GetValue(Ratios) ?? []).Distinct().Order()];
        if (ratios.Length == 0 || ratios.Any(ratio => !(ratio is > 0 and <= 1)))
        {
            throw new UsageException($"--ratio {string.Join(' ', ratios)}: ratios are above 0 and at most 1");
        }

        int keypoints = line.GetValue(Keypoints);
        if (keypoints < 1)
        {
            throw new UsageException($"--keypoints {keypoints}: it must be at least 1");
        }

        const int UsualMaxSide = 1000;
        int maxSide = CommonOptions.CheckedMaxSide(line) ?? UsualMaxSide;
        string folder = line.GetRequiredValue(Folder);
        (IReadOnlyList<ImageEntry> images, _) = ImageEntry.InFolder(folder);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using Methods methods = Methods.Open(line, terminal, device, MethodInput.Keypoints, "model", "rootsift");
        using var interrupt = new Interrupt(terminal, "stopping (Ctrl-C again leaves at once)");
        DirectoryInfo work = Directory.CreateTempSubdirectory("cudal2net-sfm-");
        try
        {
            int done = 0, total = methods.Describers.Count * (ratios.Length + 1);
            Outcome?[][] outcomes = terminal.WithProgress($"{images.Count} images", share => methods.Describers.Select((method, m) =>
            {
                string path = Path.Combine(work.FullName, $"{m}.db");
                using (ColmapDatabase database = ColmapDatabase.Open(path, create: true))
                {
                    ColmapExtractReport report = new ColmapExtraction(database, method, device.Threads).Run(
                        images, new ColmapExtractOptions(new CameraChoice("SIMPLE_RADIAL", false, null), (_, grey) => KeypointDetector.Detect(grey, keypoints, maxSide), false, false, method.Name),
                        new Reporter<(int Done, int Total)>(at => share((done + ((double)at.Done / at.Total)) / total, $"{method.Name}: {at.Done}/{at.Total} images")),
                        interrupt.Token);
                    if (report.Faults.Count > 0)
                    {
                        throw new InvalidDataException(report.Faults[0]);
                    }
                }

                done++;
                return ratios.Select(ratio =>
                {
                    share((double)done++ / total, string.Create(CultureInfo.InvariantCulture, $"{method.Name}, ratio {ratio}"));
                    return Reconstruct(path, folder, Path.Combine(work.FullName, $"{m}-{done}"), ratio, device, interrupt.Token);
                }).ToArray();
            }).ToArray());
            RunOutput.Write(terminal, line, ToRun(folder, images.Count, methods.Describers, ratios, outcomes, keypoints, maxSide), methods);
            return 0;
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static Outcome Reconstruct(string path, string images, string output, double ratio, Device device, CancellationToken cancellation)
    {
        const double Tolerance = 4;
        long inliers;
        using (ColmapDatabase database = ColmapDatabase.Open(path, create: false))
        {
            inliers = new ColmapMatching(database, new DescriptorSearch(device)).Run(
                "exhaustive", new ColmapMatchOptions(new MatchOptions(true, ratio), Tolerance, Force: true), new Reporter<(long Done, long Total)>(_ => { }), cancellation).Verified;
        }

        Directory.CreateDirectory(output);
        if (ColmapMapper.Run(path, images, output, cancellation) is not { Points.Count: > 0 } model)
        {
            return new Outcome(inliers, 0, 0, 0, 0, 0);
        }

        long observations = model.Points.Sum(point => (long)point.Track.Length);
        return new Outcome(inliers, model.Images.Count, model.Points.Count, observations, (double)observations / model.Points.Count, model.Points.Average(point => point.Error));
    }

    private static EvaluationRun ToRun(
        string folder, int images, IReadOnlyList<IPatchDescriber> methods, double[] ratios, Outcome?[][] outcomes, int keypoints, int maxSide)
    {
        string[] columns = [.. ratios.Select(ratio => string.Create(CultureInfo.InvariantCulture, $"ratio {ratio}"))];
        List<ScoreTable> tables =
        [
            Table("observations", "sightings of points in images", true, ScoreUnit.Count, outcome => outcome.Observations),
            Table("mean reprojection error", "pixels, the mean over points, as COLMAP's model_analyzer", false, ScoreUnit.Fraction, outcome => outcome.Registered > 0 ? outcome.Error : null),
            Table("registered images", $"of {images}", true, ScoreUnit.Count, outcome => outcome.Registered),
            Table("points", "points in space", true, ScoreUnit.Count, outcome => outcome.Points),
            Table("mean track length", "images per point", true, ScoreUnit.Fraction, outcome => outcome.Registered > 0 ? outcome.TrackLength : null),
            Table("verified matches", "matches that agree with the geometry of their pair", true, ScoreUnit.Count, outcome => outcome.Inliers),
        ];
        if (AtEqualError() is { } equal)
        {
            tables.Insert(0, equal);
        }

        return new EvaluationRun(
            "sfm",
            folder,
            new Dictionary<string, string>
            {
                ["images"] = $"{images}",
                ["keypoints"] = $"SIFT, at most {keypoints}, longer side at most {maxSide}",
                ["matches"] = "mutual nearest neighbours, all pairs; verified by a fundamental matrix or a homography, 4 pixels",
                ["reconstruction"] = "colmap mapper, one thread",
            },
            [.. methods.Select(method => new EvaluatedMethod(method.Name, method.Dimension, method.IsBinary))],
            tables,
            []);

        ScoreTable Table(string title, string measure, bool higher, ScoreUnit unit, Func<Outcome, double?> value) => new(
            title, measure, higher, unit, columns, [.. methods.Select((method, m) => new ScoreRow(method.Name, [.. outcomes[m].Select(outcome => outcome is null ? null : value(outcome))]))]);

        // Interpolated between ratios, at errors that all methods reach.
        ScoreTable? AtEqualError()
        {
            const int Steps = 4;
            (double Error, double Observations)[][] curves = [.. outcomes.Select(row => row.OfType<Outcome>().Where(outcome => outcome.Registered > 0)
                .Select(outcome => (outcome.Error, (double)outcome.Observations)).Order().ToArray())];
            if (curves.Any(curve => curve.Length < 2))
            {
                return null;
            }

            double least = curves.Max(curve => curve[0].Error), most = curves.Min(curve => curve[^1].Error);
            if (!(most > least))
            {
                return null;
            }

            double[] errors = [.. Enumerable.Range(0, Steps).Select(i => least + ((most - least) * i / (Steps - 1)))];
            return new ScoreTable(
                "observations at equal error",
                "sightings of points in images, interpolated between ratios at the mean reprojection error that the column names",
                true,
                ScoreUnit.Count,
                [.. errors.Select(error => string.Create(CultureInfo.InvariantCulture, $"{error:0.000} px"))],
                [.. methods.Select((method, m) => new ScoreRow(method.Name, [.. errors.Select(error => (double?)Interpolate(curves[m], error))]))]);
        }
    }

    private static double Interpolate((double Error, double Observations)[] curve, double error)
    {
        int right = Math.Max(1, Array.FindIndex(curve, point => point.Error >= error));
        ((double e0, double o0), (double e1, double o1)) = (curve[right - 1], curve[right]);
        return e1 > e0 ? o0 + ((o1 - o0) * Math.Clamp((error - e0) / (e1 - e0), 0, 1)) : o1;
    }
}
