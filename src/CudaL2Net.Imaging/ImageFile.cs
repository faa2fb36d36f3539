using CudaL2Net.Imaging.Files;
using CudaL2Net.Imaging.Files.Formats;
using OpenCvSharp;

namespace CudaL2Net.Imaging;

/// <summary>
/// Reads images from files: the one door for all of them. A file that is damaged is refused, also where a decoder would only warn and fill up what is missing.
/// What is odd about a good one is told to <see cref="ImageRemarks"/>.
/// </summary>
public static class ImageFile
{
    /// <summary>The most pixels of an image that is read.</summary>
    public const long MostPixels = ImageInfo.MostPixels;

    /// <summary>The most rows and columns of an image that is read.</summary>
    public const int LongestSide = ImageInfo.LongestSide;

    private static readonly HashSet<string> Endings = EndingsOf(ImageFormat.All), UnreadEndings = EndingsOf(ImageFormat.NotRead);

    // The exceptions below say what is wrong; OpenCV would print it once more.
    static ImageFile() => Cv2.SetLogLevel(LogLevel.SILENT);

    /// <summary>Whether the file's name ends like that of an image that is read, such as .jpg or .png.</summary>
    public static bool HasImageName(string path) => Endings.Contains(Path.GetExtension(path));

    /// <summary>Whether the file's name ends like that of an image of a format that is not read, such as .heic or .avif.</summary>
    public static bool HasUnreadImageName(string path) => UnreadEndings.Contains(Path.GetExtension(path));

    /// <summary>Reads an image as grey levels, turned as its EXIF orientation says.</summary>
    /// <param name="path">The file.</param>
    /// <returns>
    /// 8 bits, one channel; the caller disposes of it. Where pixels of the file are transparent, it knows which, and detectors give no keypoints there.
    /// </returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read, for instance for want of rights.</exception>
    /// <exception cref="InvalidDataException">The file is no image in a known format, is damaged, or is larger than <see cref="MostPixels"/>.</exception>
    public static Mat LoadGrey(string path) => Load(path, ImreadModes.Grayscale);

    /// <summary>Reads an image in colour, turned as its EXIF orientation says.</summary>
    /// <returns>8 bits, three channels in the order blue, green, red; the caller disposes of it.</returns>
    /// <inheritdoc cref="LoadGrey(string)"/>
    public static Mat LoadColour(string path) => Load(path, ImreadModes.Color);

    /// <summary>Reads an image as grey levels as it is stored, not turned: the frame that COLMAP and hloc give keypoints in.</summary>
    /// <inheritdoc cref="LoadGrey(string)"/>
    internal static StoredImage LoadStored(string path)
    {
        double? focal = null;
        Mat grey = Load(path, ImreadModes.Grayscale, info =>
        {
            focal = info.RelativeFocal;
            info.Orientation = 1;
        });
        return new StoredImage(grey, focal);
    }

    private static HashSet<string> EndingsOf(IEnumerable<ImageFormat> formats) =>
        new(formats.SelectMany(format => format.Endings), StringComparer.OrdinalIgnoreCase);

    // With `asStored` the image is not turned; it is told what the file's headers say.
    private static Mat Load(string path, ImreadModes mode, Action<ImageInfo>? asStored = null)
    {
        byte[] bytes = ReadBytes(path);
        if (bytes.Length == 0)
        {
            throw new InvalidDataException($"{path} is empty, not an image");
        }

        ImageFormat format = ImageFormat.All.Concat(ImageFormat.NotRead).FirstOrDefault(format => format.Matches(bytes))
            ?? throw new InvalidDataException($"{path} is not an image in a known format ({ImageFormat.Names}), or its start is damaged");
        try
        {
            ImageInfo info = format.Check(bytes);
            asStored?.Invoke(info);
            if (asStored is not null && info.DecodersOrientation is { } orientation)
            {
                bytes[orientation.Place + (orientation.LittleEndian ? 0 : 1)] = 1;
                bytes[orientation.Place + (orientation.LittleEndian ? 1 : 0)] = 0;
            }

            Mat image = new ImageDecoder(info, info.Rewritten ?? bytes, mode).Decode(path);
            foreach (string remark in info.Remarks)
            {
                ImageRemarks.Say(path, remark);
            }

            return image;
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path} {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidDataException($"{path} cannot be read as a {format.Name} image: {exception.Message}", exception);
        }
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (UnauthorizedAccessException exception)
        {
            string reason = Directory.Exists(path) ? "it is a folder, not an image" : "you have no right to read it";
            throw new IOException($"{path} cannot be read: {reason}", exception);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"{path} does not exist", path, exception);
        }
    }
}
