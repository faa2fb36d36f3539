using System.CommandLine;
using System.Diagnostics;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Formats;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Pipelines.Hloc;
using OpenCvSharp;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net describe</c>: descriptors of patches, or of the keypoints of an image.</summary>
internal static class DescribeCommand
{
    private static readonly Argument<string> Input = new("INPUT")
    {
        Description = "A strip of square patches (width 32, 64 or 65, height a multiple of it), a folder of strips, a Brown folder, "
            + "an .npy or .npz of patches ([n, side, side]; bytes, or floats in 0..255 or 0..1; FILE.npz:NAME is one array of several), "
            + "or an image, whose keypoints are found. With --out FILE.h5 many images: a folder, a list (.txt, a file per line) or a quoted pattern ('photos/*.jpg').",
    };

    private static readonly Option<string> Out = new("--out", "-o")
    {
        Description = "The file to write: .npy, [n, d] float32, or [n, d / 8] bytes with --binary; or .h5 for many images, in hloc's layout. "
            + "d is the number of values per descriptor, 128 for the model that comes with the tool.",
        HelpName = "FILE.npy|FILE.h5",
        Required = true,
    };

    private static readonly Option<bool> Binary = new("--binary")
    {
        Description = "Write the signs of the descriptors as packed bits: bit j of byte k is dimension 8k + j.",
    };

    private static readonly Option<string?> As = new("--as")
    {
        Description = "Treat an image file as a strip of patches or as an image, whatever its size.",
        HelpName = "strip|image",
    };

    private static readonly Option<string?> KeypointsIn = new("--keypoints")
    {
        Description = "For an image: describe these keypoints, in this order, instead of looking for some. A CSV or .npy of x, y, size, angle, response: x and y in pixels, "
            + "(0, 0) is the centre of the top left pixel; size is a diameter in pixels; angle in degrees, clockwise. Without a size the patch has as many pixels in "
            + "the image as the network takes, without an angle it is upright. Or of x, y, a11, a12, a21, a22, which take the unit disc to the keypoint's ellipse. Or "
            + "COLMAP's text of features (N 128, then x y scale orientation ...: centres at 0.5, sigma, radians), or Oxford's regions (.haraff: u v a b c).",
        HelpName = "FILE",
    };

    private static readonly Option<string?> KeypointsOut = new("--keypoints-out")
    {
        Description = "For an image: where to write the keypoints that were found (x, y, size, angle, response, or x, y, a11, a12, a21, a22, response), .csv or .npy. "
            + "The default is beside --out: NAME.keypoints.csv.",
        HelpName = "FILE",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Write the found keypoints over a file that holds other ones. Of many images: begin anew what a run with other options left." };

    private static readonly Option<DescriptorForm> Form = new("--descriptors")
    {
        Description = "What .h5 holds per value: float32, float16, or uint8 ((value - 128) / 256, said in the file). With --binary bits.",
        HelpName = "float32|float16|uint8",
        DefaultValueFactory = _ => DescriptorForm.Float32,
    };

    private static readonly Option<double?> White = new("--white")
    {
        Description = "For an array of other elements than bytes: what white is, 1, 255 or the highest grey level that it can have. "
            + "Unless given it is found out: 1 or 255.",
        HelpName = "W",
    };

    private sealed record Description(
        string Input, int Patches, int Side, int Dimension, bool Binary, string Out, string? Keypoints, double PatchesPerSecond, string? Unfinished);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        As.AcceptOnlyFromAmong("strip", "image");
        Form.AcceptOnlyFromAmong("float32", "float16", "uint8");
        var command = new ExampleCommand(
            "describe",
            "Compute descriptors of patches, or of the keypoints of an image.",
            "cudal2net describe photo.jpg --out photo.npy",
            "cudal2net describe photo.jpg --keypoints mine.csv --out photo.npy",
            "cudal2net describe photo.jpg --detector orb --limit 2000 --mask sky.png --keypoints-out orb.csv --out photo.npy",
            "cudal2net describe photos --detector akaze --out features.h5",
            "cudal2net describe patches.png --model runs/first --out patches.npy --binary",
            "cudal2net describe phototour/liberty --out liberty.npy")
        {
            Input, Out, CommonOptions.Model, Binary, As, White, KeypointsIn, KeypointsOut, Form, Force,
            KeypointOptions.Detector, KeypointOptions.Limit, CommonOptions.MaxSide, KeypointOptions.Upright, KeypointOptions.Mask, KeypointOptions.PatchScale,
            CommonOptions.Device, CommonOptions.Precision, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    /// <summary>The file beside the descriptors that found keypoints go to; none where the line names another, or the input is no image.</summary>
    public static IEnumerable<string> KeypointsBeside(ParseResult line, string output) =>
        line.GetValue(KeypointsIn) is null && line.GetValue(KeypointsOut) is null && line.GetValue(As) != "strip" && PatchInput.MayBeImage(line.GetRequiredValue(Input))
            ? [Path.ChangeExtension(output, ".keypoints.csv")]
            : [];

    private static int Run(ParseResult line, Terminal terminal)
    {
        string input = line.GetRequiredValue(Input), output = line.GetRequiredValue(Out);
        if (DescribeImages.IsFeatures(output))
        {
            return RunImages(line, terminal, input, output);
        }

        if (!output.EndsWith(".npy", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException(
                $"--out {output}: descriptors are written as .npy, and those of many images as .h5", $"--out {Path.ChangeExtension(output, ".npy")}");
        }

        if (line.GetResult(Form) is { Implicit: false })
        {
            throw new UsageException("--descriptors is for many images, whose output is .h5", "leave it out");
        }

        if (line.GetValue(White) is { } white && !(white is > 0 and <= 1e12))
        {
            throw new UsageException($"--white {white}: it must be above 0", "--white 1, --white 255");
        }

        if (line.GetValue(White) is not null && !PatchInput.IsArray(input))
        {
            throw new UsageException($"--white is for arrays (.npy, .npz), which {input} is not");
        }

        if (!Path.Exists(PatchInput.FileOf(input)))
        {
            throw new FileNotFoundException($"{input} does not exist");
        }

        CheckKeypointOptions(line, input);
        KeypointSearch search = KeypointOptions.SearchOf(line);
        double? patchScale = KeypointOptions.PatchScaleOf(line);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using PatchModel model = ModelInput.LoadDescriber(line, terminal, device);
        bool binary = line.GetValue(Binary);
        string? given = line.GetValue(KeypointsIn), keypointFile = null;
        Keypoint[] keypoints = [];
        IEnumerable<PatchBlock> blocks;
        using Mat? image = given is not null || PatchInput.IsImage(input, line.GetValue(As)) ? ImageFile.LoadGrey(input) : null;
        if (image is not null)
        {
            double scale = patchScale ?? model.PatchScale;
            keypointFile = given is not null ? null : line.GetValue(KeypointsOut) ?? Path.ChangeExtension(output, ".keypoints.csv");
            keypoints = keypointFile is null
                ? KeypointInput.Read(given!, input, image, model.PatchSide / scale, search.Options.Upright)
                : search.FindSome(input, Path.GetFileName(input), image);
            if (keypointFile is not null && !line.GetValue(Force))
            {
                KeypointInput.RequireNoOthers(keypointFile, keypoints);
            }

            blocks = PatchCutter.CutBlocks(image, keypoints, scale, model.PatchSide, device.Threads).Select(cut => new PatchBlock(cut, model.PatchSide));
        }
        else
        {
            KeypointOptions.Refuse(line, [.. KeypointOptions.Search, KeypointOptions.PatchScale, KeypointsOut], $"{input} has patches that are cut already");
            blocks = PatchInput.Read(input, line.GetValue(White), terminal.Say);
        }

        (int patches, int side, double seconds) = binary
            ? Write<byte>(output, model.Dimension / 8, blocks, block => model.DescribeBinary(block.Pixels.Span, block.Side), WriteOthers)
            : Write<float>(output, model.Dimension, blocks, block => model.Describe(block.Pixels.Span, block.Side), WriteOthers);
        var result = new Description(input, patches, side, model.Dimension, binary, output, keypointFile, seconds > 0 ? Math.Round(patches / seconds) : 0,
            model.File.Unfinished);
        terminal.Result(result, console => console.WriteLine(
            $"{result.Patches} descriptors of {(binary ? $"{model.Dimension} bits" : $"{model.Dimension} values")} in {output}"
            + (keypointFile is null ? string.Empty : $", keypoints in {keypointFile}")
            + (given is null ? string.Empty : $", of the keypoints in {given}")));
        return 0;

        void WriteOthers()
        {
            if (keypointFile is not null)
            {
                KeypointFile.Write(keypointFile, keypoints);
            }
        }
    }

    private static int RunImages(ParseResult line, Terminal terminal, string input, string output)
    {
        KeypointOptions.Refuse(line, [As, White, KeypointsIn, KeypointsOut], $"it is for one image or for patches, and --out {output} is for many images");
        KeypointSearch search = KeypointOptions.SearchOf(line);
        double? patchScale = KeypointOptions.PatchScaleOf(line);
        using Device device = CommonOptions.OpenDevice(line, terminal);
        using PatchModel model = ModelInput.LoadDescriber(line, terminal, device);
        string? path = line.GetValue(CommonOptions.Model);
        bool binary = ModelInput.IsBinary(line.GetValue(Binary), model);
        var method = new ModelDescriber(ModelInput.NameOf(path, model), model, binary, patchScale);
        DescriptorForm form = binary ? DescriptorForm.Bits : line.GetValue(Form);
        string settings = FormattableString.Invariant(
            $"{ModelInput.Fingerprint(path)}, {form.ToString().ToLowerInvariant()}, patches of {method.PatchScale} diameters, {search.Settings}");
        return DescribeImages.Run(
            input,
            output,
            method,
            new FeatureOptions((image, grey) => search.Find(image.Path, image.Name, grey), form, line.GetValue(Force), settings),
            device,
            model.File.Unfinished,
            terminal);
    }

    // What stands beside the descriptors is written when all of them have been computed, and before they take the place of older ones.
    private static (int Patches, int Side, double Seconds) Write<T>(
        string path, int width, IEnumerable<PatchBlock> blocks, Func<PatchBlock, T[]> describe, Action writeOthers)
        where T : unmanaged
    {
        using var writer = new NpyWriter<T>(path, width);
        var watch = new Stopwatch();
        int patches = 0, side = 0;
        foreach (PatchBlock block in blocks)
        {
            watch.Start();
            T[] descriptors = Describe(block);
            watch.Stop();
            writer.Append(descriptors);
            patches += descriptors.Length / width;
            side = block.Side;
        }

        writeOthers();
        writer.Complete();
        return (patches, side, watch.Elapsed.TotalSeconds);

        // Errors count the patches of a block.
        T[] Describe(PatchBlock block)
        {
            try
            {
                return describe(block);
            }
            catch (InvalidDataException error) when (patches > 0)
            {
                throw new InvalidDataException($"after {patches} patches that were described: {error.Message}", error);
            }
        }
    }

    private static void CheckKeypointOptions(ParseResult line, string input)
    {
        if (line.GetValue(KeypointsIn) is not { } given)
        {
            return;
        }

        if (line.GetValue(KeypointsOut) is { } output)
        {
            throw new UsageException($"--keypoints-out {output}: it is for found keypoints, and with --keypoints {given} none are looked for", "leave one of them out");
        }

        KeypointOptions.Refuse(line, KeypointOptions.Search.Where(option => option != KeypointOptions.Upright), $"with --keypoints {given} all in the file are described");
        if (line.GetValue(As) == "strip" || !PatchInput.MayBeImage(input))
        {
            throw new UsageException($"--keypoints {given}: {input} has patches that are cut already", "name the image that the keypoints are in");
        }
    }
}
