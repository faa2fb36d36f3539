using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Cli.Runs;

/// <summary>Finds keypoints of images as a command line asks for. Many threads may use one at once.</summary>
/// <param name="Options">The detector, and how many.</param>
/// <param name="Mask">The mask of all images, or the folder of their masks; null for none.</param>
/// <param name="Threads">The most threads that work at once; 0 is one per core.</param>
internal sealed record KeypointSearch(DetectionOptions Options, string? Mask = null, int Threads = 0)
{
    /// <summary>All that decides which keypoints are found, in words.</summary>
    public string Settings => $"{Options.Detector.ToString().ToLowerInvariant()}, at most {Options.Limit} keypoints, longer side at most {Options.MaxSide?.ToString() ?? "any"}"
        + (Options.Upright ? ", upright" : string.Empty) + (Mask is null ? string.Empty : $", masks {Mask}");

    /// <summary>Finds keypoints; there may be none.</summary>
    /// <param name="path">The image's file, for messages.</param>
    /// <param name="name">The image's name, by which its mask is found in a folder: relative to the folder of the images, where there is one.</param>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <exception cref="FileNotFoundException">The image has no mask in the folder.</exception>
    /// <exception cref="IOException">The mask cannot be read.</exception>
    /// <exception cref="InvalidDataException">The mask is damaged, or has another size than the image; or the detector fails on the image.</exception>
    public Keypoint[] Find(string path, string name, Mat grey)
    {
        using Mat? mask = Mask is null ? null : ReadMask(Mask, path, name, grey);
        try
        {
            return KeypointDetector.Detect(grey, Options, mask, Threads);
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Finds keypoints, at least one.</summary>
    /// <exception cref="InvalidDataException">The image has none, its mask is damaged, or has another size.</exception>
    /// <inheritdoc cref="Find(string, string, Mat)"/>
    public Keypoint[] FindSome(string path, string name, Mat grey) => Find(path, name, grey) is { Length: > 0 } found
        ? found
        : throw new InvalidDataException($"{path}: no keypoints were found by {Options.Detector.ToString().ToLowerInvariant()} in this image of {grey.Width} x {grey.Height}; "
            + (Mask is null ? "it may be too small or too uniform" : $"it may be too small or too uniform where the mask ({Mask}) is not 0"));

    private static Mat ReadMask(string mask, string path, string name, Mat grey)
    {
        string file = Directory.Exists(mask) ? MaskIn(mask, path, name) : mask;
        Mat read = ImageFile.LoadGrey(file);
        if (read.Size() == grey.Size())
        {
            return read;
        }

        using (read)
        {
            throw new InvalidDataException($"{file} has {read.Width} x {read.Height} pixels, and {path}, which it is the mask of, {grey.Width} x {grey.Height}: "
                + "a mask is as large as its image");
        }
    }

    // COLMAP's masks are named like the first of these.
    private static string MaskIn(string folder, string path, string name)
    {
        string[] places = [.. new[] { $"{name}.png", Path.ChangeExtension(name, ".png"), name }.Select(file => Path.Combine(folder, file)).Distinct()];
        return places.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"{path} has no mask in the folder {folder}: expected {string.Join(", or ", places)}");
    }
}
