using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Pipelines.Colmap;
using CudaL2Net.Pipelines.Images;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands.Colmap;

/// <summary><c>cudal2net colmap extract</c>: in place of COLMAP's feature_extractor.</summary>
internal static class ColmapExtractCommand
{
    private static readonly Option<string> Images = new("--images")
    {
        Description = "The folder with the images, COLMAP's --image_path. Folders in it count, too. Images are not turned by EXIF: COLMAP does not turn them.",
        HelpName = "DIR",
        Required = true,
    };

    private static readonly Option<int> Limit = new("--limit") { Description = "The most keypoints per image.", HelpName = "N", DefaultValueFactory = _ => 8192 };

    private static readonly Option<int?> MaxSide = new("--max-side")
    {
        Description = "Search for keypoints in the image reduced to at most N pixels on its longer side; 3200 unless given. They are stored in the image's own pixels.",
        HelpName = "N",
    };

    private static readonly Option<bool> KeepKeypoints = new("--keep-keypoints")
    {
        Description = "Describe the keypoints that the database has, and leave them as they are. COLMAP's descriptors of them are replaced.",
    };

    private static readonly Option<bool> Binary = new("--binary") { Description = "Keep the model's binary form for `colmap match`. COLMAP's own table gets none." };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace keypoints, descriptors and matches that the database has already." };

    private sealed record Result(
        string Database, int Images, int DoneBefore, long Keypoints, int FailedImages, IReadOnlyList<string> Failures, double ImagesPerSecond, string? Unfinished);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "extract",
            "Find keypoints in all images of a folder, describe them, and write cameras, images, keypoints and descriptors into COLMAP's database. "
                + "A run that was stopped goes on where it was.",
            "cudal2net colmap extract --images photos --database photos.db",
            "cudal2net colmap extract --images photos --database photos.db --single-camera --limit 4000",
            "cudal2net colmap extract --images photos --database from-colmap.db --keep-keypoints")
        {
            Images, ColmapCommand.Database, CommonOptions.Model, CameraOptions.Model, CameraOptions.Single, CameraOptions.Parameters, Limit, MaxSide,
            KeypointOptions.Detector, KeypointOptions.Upright, KeypointOptions.Mask, KeypointOptions.PatchScale, KeepKeypoints, Binary, Force,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        const int UsualMaxSide = 3200;
        string folder = line.GetRequiredValue(Images), path = line.GetRequiredValue(ColmapCommand.Database);
        KeypointSearch search = KeypointOptions.SearchOf(line, Limit, MaxSide);
        search = search with { Options = search.Options with { MaxSide = search.Options.MaxSide ?? UsualMaxSide } };
        double? patchScale = KeypointOptions.PatchScaleOf(line);
        CheckKept(line);
        CameraChoice camera = CameraOptions.Read(line);
        (IReadOnlyList<ImageEntry> images, IReadOnlyList<string> notes) = ImageEntry.InFolder(folder);
        foreach (string note in notes)
        {
            terminal.Say(note);
        }

        using Device device = CommonOptions.OpenDevice(line, terminal);
        using PatchModel model = ModelInput.LoadDescriber(line, terminal, device);
        var method = new ModelDescriber(ModelInput.NameOf(line.GetValue(CommonOptions.Model), model), model,
            ModelInput.IsBinary(line.GetValue(Binary), model), patchScale);
        bool keep = line.GetValue(KeepKeypoints);
        string settings = FormattableString.Invariant($"{ModelInput.Fingerprint(line.GetValue(CommonOptions.Model))}{(method.IsBinary ? ", binary" : string.Empty)}, ")
            + FormattableString.Invariant($"patches of {method.PatchScale} diameters, ") + (keep ? "keypoints of another program" : search.Settings);
        var options = new ColmapExtractOptions(camera, (image, grey) => search.Find(image.Path, image.Name, grey), keep, line.GetValue(Force), settings);

        using var interrupt = new Interrupt(terminal, "stopping; the same command goes on from here (Ctrl-C again leaves at once)");
        using ColmapDatabase database = ColmapDatabase.Open(path, create: !keep);
        var watch = Stopwatch.StartNew();
        ColmapExtractReport report = ColmapCommand.Step(path, () => terminal.WithProgress($"{images.Count} images", share =>
            new ColmapExtraction(database, method, device.Threads).Run(images, options, new Reporter<(int Done, int Total)>(at => share(
                (double)at.Done / at.Total,
                string.Create(CultureInfo.InvariantCulture, $"{at.Done}/{at.Total}, {at.Done / watch.Elapsed.TotalSeconds:0.0} images/s"))), interrupt.Token)));
        foreach (string fault in report.Faults)
        {
            terminal.Say($"left out: {fault}");
        }

        if (report.Images + report.Before == 0)
        {
            throw new InvalidDataException($"none of the {images.Count} images in {folder} could be described; {report.Faults.FirstOrDefault()}");
        }

        if (database.Schema.TellsDescriptorType && report.Images > 0)
        {
            terminal.Say("this version of COLMAP has no kind for these descriptors, so its own table of descriptors gets none; `cudal2net colmap match` uses them");
        }

        var result = new Result(path, report.Images, report.Before, report.Keypoints, report.Faults.Count, report.Faults,
            Math.Round(report.Images / watch.Elapsed.TotalSeconds, 2), model.File.Unfinished);
        terminal.Result(result, console => console.WriteLine(
            $"{result.Images} images with {result.Keypoints} keypoints"
            + (result.DoneBefore > 0 ? $", {result.DoneBefore} were done before" : string.Empty)
            + (result.FailedImages > 0 ? $", {result.FailedImages} left out" : string.Empty)
            + $": {path}"));
        return 0;
    }

    private static void CheckKept(ParseResult line)
    {
        if (!line.GetValue(KeepKeypoints))
        {
            return;
        }

        foreach (Option search in new Option[] { Limit, MaxSide, KeypointOptions.Detector, KeypointOptions.Upright, KeypointOptions.Mask, CameraOptions.Model, CameraOptions.Single, CameraOptions.Parameters })
        {
            if (line.GetResult(search) is { Implicit: false })
            {
                throw new UsageException($"{search.Name} is for new keypoints and cameras, and with --keep-keypoints those of the database stay", "leave it out");
            }
        }
    }
}
