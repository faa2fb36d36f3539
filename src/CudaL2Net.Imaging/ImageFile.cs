using OpenCvSharp;

namespace CudaL2Net.Imaging;

/// <summary>Reads images from files.</summary>
public static class ImageFile
{
    private static readonly HashSet<string> Endings = new(StringComparer.OrdinalIgnoreCase)
    {
        ".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff", ".webp",
    };

    // The exceptions below say what is wrong; OpenCV would print it once more.
    static ImageFile() => Cv2.SetLogLevel(LogLevel.SILENT);

    /// <summary>Whether the file's name ends like an image's: jpg, jpeg, png, ppm, pgm, pbm, pnm, bmp, tif, tiff or webp.</summary>
    public static bool HasImageName(string path) => Endings.Contains(Path.GetExtension(path));

    /// <summary>Reads an image as grey levels, turned as its EXIF orientation says.</summary>
    /// <param name="path">The file.</param>
    /// <returns>8 bits, one channel; the caller disposes of it.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read, for instance for want of rights.</exception>
    /// <exception cref="InvalidDataException">The file is no image in a known format, or is cut short.</exception>
    public static Mat LoadGrey(string path) => Load(path, ImreadModes.Grayscale);

    /// <summary>Reads an image in colour, turned as its EXIF orientation says.</summary>
    /// <returns>8 bits, three channels in the order blue, green, red; the caller disposes of it.</returns>
    /// <inheritdoc cref="LoadGrey(string)"/>
    public static Mat LoadColour(string path) => Load(path, ImreadModes.Color);

    private static Mat Load(string path, ImreadModes mode)
    {
        byte[] bytes = ReadBytes(path);
        if (bytes.Length == 0)
        {
            throw new InvalidDataException($"{path} is empty, not an image");
        }

        if (IsCutShort(bytes))
        {
            throw new InvalidDataException($"{path} is cut short: the end of the image is missing; copy or download it again");
        }

        Mat image;
        try
        {
            image = Cv2.ImDecode(bytes, mode);
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidDataException($"{path} cannot be read as an image: {exception.Message}", exception);
        }

        if (image.Empty())
        {
            image.Dispose();
            throw new InvalidDataException($"{path} is not an image in a known format (jpg, png, ppm, pgm, bmp, tiff, webp), or it is damaged");
        }

        return image;
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

    // The decoders accept JPEG and PNG files without an end and fill up with grey, so the end is looked for here. A JPEG's end
    // must follow the start of its last scan: an embedded thumbnail has an end of its own.
    private static bool IsCutShort(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
        {
            return bytes.LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xD9]) <= bytes.LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        }

        return bytes.StartsWith((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47]) && bytes.LastIndexOf("IEND"u8) < 0;
    }
}
