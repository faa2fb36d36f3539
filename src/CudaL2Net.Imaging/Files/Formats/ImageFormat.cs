using System.Text;
using CudaL2Net.Imaging.Files.Jpeg;

namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>A format of images: its name, the endings of its files' names, how its bytes start, and how they are checked.</summary>
/// <param name="Name">The format.</param>
/// <param name="Endings">Of files' names, small letters.</param>
/// <param name="Matches">Whether the bytes start like such a file.</param>
/// <param name="Check">
/// Reads what the file says of its image, and throws an <see cref="InvalidDataException"/> without the file's name if it is damaged.
/// </param>
internal sealed record ImageFormat(string Name, string[] Endings, Func<byte[], bool> Matches, Func<byte[], ImageInfo> Check)
{
    /// <summary>All formats that are read.</summary>
    public static IReadOnlyList<ImageFormat> All { get; } =
    [
        new("JPEG", [".jpg", ".jpeg", ".jpe", ".jfif"], JpegFile.Matches, JpegFile.Check),
        new("PNG", [".png"], PngFile.Matches, PngFile.Check),
        new("PNM", [".ppm", ".pgm", ".pbm", ".pnm"], PnmFile.Matches, PnmFile.Check),
        new("BMP", [".bmp", ".dib"], BmpImage.Matches, BmpImage.Check),
        new("TIFF", [".tif", ".tiff"], TiffFile.Matches, TiffFile.Check),
        new("WebP", [".webp"], WebpFile.Matches, WebpFile.Check),
        new("GIF", [".gif"], GifFile.Matches, GifFile.Check),
        new("JPEG 2000", [".jp2", ".j2k", ".jpf", ".jpx"], Jpeg2000File.Matches, Jpeg2000File.Check),
    ];

    /// <summary>Formats of photographs that are known, but not read.</summary>
    public static IReadOnlyList<ImageFormat> NotRead { get; } =
    [
        Unread(
            "a camera's raw file",
            [".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"],
            file => HasBrand(file, "crx") || Starts(file, "FUJIFILMCCD-RAW"u8)),
        Unread("an AVIF image", [".avif"], file => HasBrand(file, "avif", "avis")),
        Unread("a HEIC image", [".heic", ".heif", ".hif"], file => HasBrand(file, "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1")),
        Unread("a JPEG XL image", [".jxl"], file => Starts(file, [0xFF, 0x0A]) || Starts(file, [0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L', (byte)' '])),
        Unread("a Photoshop image", [".psd"], file => Starts(file, "8BPS"u8)),
        Unread("an OpenEXR image", [".exr"], file => Starts(file, [0x76, 0x2F, 0x31, 0x01])),
        Unread("a Radiance image", [".hdr"], file => Starts(file, "#?R"u8)),
        Unread("a PFM or PAM image", [".pfm", ".pam"], file => Starts(file, "Pf"u8) || Starts(file, "PF"u8) || Starts(file, "P7"u8)),
        Unread("a Sun raster image", [".ras", ".sr"], file => Starts(file, [0x59, 0xA6, 0x6A, 0x95])),
        Unread("a PDF document", [], file => Starts(file, "%PDF"u8)),
        Unread("a video", [], file => file.Length > 8 && file.AsSpan(4, 4).SequenceEqual("ftyp"u8)),
    ];

    /// <summary>The names of <see cref="All"/>, as errors show them.</summary>
    public static string Names => string.Join(", ", All.Select(format => format.Name));

    private static ImageFormat Unread(string name, string[] endings, Func<byte[], bool> matches) =>
        new(name, endings, matches, _ => throw Damage.NotRead(name));

    private static bool Starts(byte[] file, ReadOnlySpan<byte> bytes) => file.AsSpan().StartsWith(bytes);

    // ISO 14496-12: a box "ftyp" with the main brand, a version and the brands that fit.
    private static bool HasBrand(byte[] file, params ReadOnlySpan<string> brands)
    {
        if (file.Length < 16 || !file.AsSpan(4, 4).SequenceEqual("ftyp"u8))
        {
            return false;
        }

        string all = Encoding.ASCII.GetString(file, 8, Math.Clamp((file[2] << 8) | file[3], 16, file.Length) - 8);
        foreach (string brand in brands)
        {
            if (all.Contains(brand, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
