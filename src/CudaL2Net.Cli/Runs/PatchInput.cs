using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Data;
using OpenCvSharp;

namespace CudaL2Net.Cli.Runs;

/// <summary>Square grey patches, [n][side][side]. They last until the next block is read.</summary>
internal readonly record struct PatchBlock(ReadOnlyMemory<byte> Pixels, int Side);

/// <summary>Reads patches from strips, folders and arrays, a block at a time.</summary>
internal static class PatchInput
{
    // Of an array that is read at once: enough patches to keep a GPU busy, little beside the memory that describing takes.
    private const int BlockBytes = 16 << 20;

    /// <summary>Whether an input is an image file by its name: no folder and no array.</summary>
    public static bool MayBeImage(string path) => !Directory.Exists(path) && !IsArray(path);

    /// <summary>Whether an input is an image whose keypoints are wanted, not patches.</summary>
    /// <param name="path">A file or folder.</param>
    /// <param name="kind"><c>strip</c>, <c>image</c>, or null to go by the size.</param>
    /// <exception cref="UsageException">The size is nearly that of a strip, so it may be a strip that lost rows.</exception>
    public static bool IsImage(string path, string? kind)
    {
        if (!MayBeImage(path))
        {
            return kind == "image" ? throw new UsageException($"--as image: {path} is no image file") : false;
        }

        if (kind is not null)
        {
            return kind == "image";
        }

        using Mat image = ImageFile.LoadGrey(path);
        return IsImage(image.Width, image.Height) ?? throw new UsageException(
            $"{path} has {image.Width} x {image.Height} pixels, nearly a strip of patches (32, 64 or 65 wide, its height a multiple of that): "
                + "a strip that lost rows, or an image? --as strip or --as image says which",
            "--as image");
    }

    /// <summary>Whether a size is that of an image (true) or of a strip of patches (false); null if it is neither for sure.</summary>
    internal static bool? IsImage(int width, int height)
    {
        if (PatchResize.Supports(width) && height % width == 0)
        {
            return false;
        }

        int[] sides = [32, 64, 65];
        bool near = sides.Any(side => Math.Abs(width - side) <= 1 && height >= side - 1 && Math.Min(height % side, side - (height % side)) <= 1);
        return near || (PatchResize.Supports(width) && height > width) ? null : true;
    }

    /// <summary>Reads all patches of a strip, a folder of strips in the order of their names, a Brown folder, or an .npy.</summary>
    /// <param name="path">The input.</param>
    /// <param name="white">What white is in an array; null to find out.</param>
    /// <param name="say">Is told what white was found to be, where it is not plain.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or there are no patches, or of different sides.</exception>
    public static IEnumerable<PatchBlock> Read(string path, double? white, Action<string> say) => Directory.Exists(path)
        ? ReadFolder(path)
        : IsArray(path) ? ReadArray(path, white, say) : [ReadStrip(path)];

    /// <summary>The file or folder of an input: that of <c>FILE.npz:NAME</c>, one array of several, is <c>FILE.npz</c>.</summary>
    public static string FileOf(string input) => Split(input).File;

    /// <summary>The file of an input, and the array of an archive that it names.</summary>
    public static (string File, string? Array) Split(string input)
    {
        const string Archive = ".npz";
        int colon = input.LastIndexOf(Archive + ":", StringComparison.OrdinalIgnoreCase) + Archive.Length;
        return colon < Archive.Length || Path.Exists(input) ? (input, null) : (input[..colon], input[(colon + 1)..]);
    }

    /// <summary>Whether an input is an array's file, by its name.</summary>
    public static bool IsArray(string input) => Path.GetExtension(FileOf(input)).ToLowerInvariant() is ".npy" or ".npz";

    private static IEnumerable<PatchBlock> ReadFolder(string path)
    {
        if (BrownDataset.IsBrownFolder(path))
        {
            foreach (ReadOnlyMemory<byte> block in BrownDataset.Open(path).ReadBlocks())
            {
                yield return new PatchBlock(block, BrownDataset.PatchSide);
            }

            yield break;
        }

        string[] strips = [.. FolderWalk.Files(path, ImageFile.HasImageName)];
        if (strips.Length == 0)
        {
            throw new InvalidDataException($"{path}: the folder has no strips of patches (png, bmp, jpg, pgm, ...) and is no "
                + "Brown folder (patches0000.bmp, info.txt)");
        }

        int side = 0;
        foreach (string strip in strips)
        {
            PatchBlock block = ReadStrip(strip);
            if (side != 0 && block.Side != side)
            {
                throw new InvalidDataException($"{strip}: patches of {block.Side} x {block.Side}, but those before are {side} x {side}; describe them apart");
            }

            side = block.Side;
            yield return block;
        }
    }

    private static PatchBlock ReadStrip(string path)
    {
        PatchStrip strip = PatchStrip.Read(path);
        return new PatchBlock(strip.Pixels, strip.Side);
    }

    private static IEnumerable<PatchBlock> ReadArray(string input, double? white, Action<string> say)
    {
        (string file, string? name) = Split(input);
        var array = NpyRows.Open(file, name);
        int[] shape = array.Shape.ToArray();
        int side = SideOf(shape, input);
        if (shape[0] == 0)
        {
            throw new InvalidDataException($"{input}: the array has no patches");
        }

        int rows = (int)Math.Max(1, BlockBytes / array.RowBytes);
        if (array.IsBytes && white is (null or 255))
        {
            foreach (NpyArray block in array.Read(rows))
            {
                yield return new PatchBlock(block.AsArray<byte>(), side);
            }

            yield break;
        }

        var levels = new GreyLevels(input, side, array.HasWholeNumbers, white);
        foreach (NpyArray block in array.Read(rows))
        {
            levels.Add(block.ToFloats());
        }

        say(levels.Decide());
        foreach (NpyArray block in array.Read(rows))
        {
            yield return new PatchBlock(levels.ToBytes(block.ToFloats()), side);
        }
    }

    private static int SideOf(int[] shape, string input)
    {
        int[] patch = shape switch
        {
            [_, var height, var width] => [height, width],
            [_, 1, var height, var width] => [height, width],
            [_, var height, var width, 1] => [height, width],
            _ => [],
        };
        return patch is [var side, var other] && side == other && PatchResize.Supports(side)
            ? side
            : throw new InvalidDataException($"{input}: the array has the shape [{string.Join(", ", shape)}]; patches are grey and square: "
                + "[n, side, side], [n, 1, side, side] or [n, side, side, 1] with side 32, 64 or 65");
    }
}
