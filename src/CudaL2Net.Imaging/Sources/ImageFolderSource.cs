using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Files;
using CudaL2Net.Imaging.Files.Formats;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Your own photographs, found in a folder and the folders in it: `images:DIR`.</summary>
public sealed class ImageFolderSource : ImageSource
{
    private readonly string folder;
    private readonly string[] files;
    private readonly ConcurrentDictionary<int, string> digests = [];

    /// <summary>Lists the images of a folder.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="InvalidDataException">It holds no file with an image's name.</exception>
    public ImageFolderSource(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        this.folder = folder;
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException(File.Exists(folder) ? $"{folder} is a file, not a folder of images" : $"the folder {folder} does not exist");
        }

        (IReadOnlyList<string> all, Notes) = FolderWalk.Tree(folder, name => ImageFile.HasImageName(name) || ImageFile.HasUnreadImageName(name));
        files = [.. all.Where(ImageFile.HasImageName)];
        int unread = all.Count(ImageFile.HasUnreadImageName);
        string passedOver = $"{unread} images of formats that are not read, such as HEIC, AVIF or a camera's raw files; convert them to JPEG or PNG";
        if (files.Length == 0)
        {
            throw new InvalidDataException($"the folder {folder} holds no images ({ImageFormat.Names}), nor do the folders in it"
                + (unread > 0 ? $"; there are {passedOver}" : string.Empty));
        }

        if (unread > 0)
        {
            ImageRemarks.Say(folder, $"holds {passedOver}");
        }
    }

    /// <summary>The number of files with an image's name.</summary>
    public int Files => files.Length;

    /// <summary>The names and sizes of the files. Of those that patches are made of, the bytes are compared, too: times do not show every change.</summary>
    public override string Identity
    {
        get
        {
            StringBuilder text = new();
            foreach (string file in files)
            {
                FileInfo info = new(file);
                text.Append(CultureInfo.InvariantCulture, $"{NameOf(file)}\t{(info.Exists ? info.Length : 0)}\n");
            }

            return $"photographs 2, {files.Length} files, {Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))}";
        }
    }

    /// <inheritdoc/>
    protected override int? Count => files.Length;

    /// <inheritdoc/>
    protected override Mat Load(int index, PairOptions options)
    {
        // Before it is decoded: if the file changes meanwhile, the digest is the old one, and the patches will not be taken for the new ones.
        digests.GetOrAdd(index, at => Digest(files[at]));
        Mat image = ImageFile.LoadGrey(files[index]);
        double shrink = (double)options.LongestSide / Math.Max(image.Width, image.Height);
        if (shrink >= 1)
        {
            return image;
        }

        using (image)
        {
            return CutOutImage.Reduce(image, new Size(Math.Max(1, image.Width * shrink), Math.Max(1, image.Height * shrink)));
        }
    }

    /// <inheritdoc/>
    protected override int[]? Order(ulong seed)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Pair, uint.MaxValue - 1);
        int[] order = [.. Enumerable.Range(0, files.Length)];
        draws.Shuffle<int>(order);

        return order;
    }

    /// <inheritdoc/>
    protected override string Barren(int damaged) => damaged == files.Length
        ? $"none of the {files.Length} files in {folder} could be read as an image"
        : $"no keypoints were found in the images of {folder} ({files.Length - damaged} could be read)";

    internal override IReadOnlyList<string> Notes { get; }

    internal override bool IsMadeOf(SourceReport report) =>
        report.Files.Count > 0 && report.Files.All(file => Digest(Path.Combine(folder, file.Key)) == file.Value);

    internal override (string Name, string Digest)? FileOf(int index) => (NameOf(files[index]), digests[index]);

    private string NameOf(string file) => Path.GetRelativePath(folder, file);

    // Empty for what cannot be read: such a file is skipped, until it can be.
    private static string Digest(string file)
    {
        try
        {
            using FileStream stream = InputFile.Open(file);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (IOException)
        {
            return string.Empty;
        }
    }
}
