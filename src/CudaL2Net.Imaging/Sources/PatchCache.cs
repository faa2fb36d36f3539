using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Keeps made patches in files, so that a second run starts at once. The files' format is described in docs/formats.md.</summary>
/// <param name="folder">Where the files are; made where it does not exist. Null keeps nothing.</param>
public sealed class PatchCache(string? folder)
{
    private const uint Version = 1;
    private const int KeyBytes = 32;
    private const int HasCentres = 1, HasImages = 2, HasLarge = 4;
    private const int HeaderBytes = 8 + 4 + KeyBytes + 4 + 4 + 4;
    private const long LargestTotal = 8L << 30;

    private static readonly JsonSerializerOptions Strict = new() { RespectNullableAnnotations = true };
    private static readonly byte[] Magic = "CL2PATCH"u8.ToArray();

    /// <summary>A cache that keeps nothing.</summary>
    public static PatchCache None { get; } = new(null);

    /// <summary>
    /// The user's cache: the folder named by the environment variable CUDAL2NET_CACHE, else <c>cudal2net</c> in XDG_CACHE_HOME, else in <c>~/.cache</c>
    /// (Windows: the local application data).
    /// </summary>
    public static PatchCache Default
    {
        get
        {
            if (Environment.GetEnvironmentVariable("CUDAL2NET_CACHE") is { Length: > 0 } named)
            {
                return new PatchCache(named);
            }

            string? root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(root))
            {
                root = OperatingSystem.IsWindows()
                    ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                    : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            }

            return new PatchCache(Path.Combine(root, "cudal2net"));
        }
    }

    /// <summary>Where the files are, or null.</summary>
    public string? Folder { get; } = folder;

    /// <summary>
    /// The kept patches of this description, or new ones, which are then kept. A damaged file is reported in the warnings and made anew; a file that cannot
    /// be read or written only gives a warning.
    /// </summary>
    /// <param name="description">All that the patches depend on: source, options, seed, number of points.</param>
    /// <param name="build">Makes the patches.</param>
    public SourceResult GetOrBuild(string description, Func<SourceResult> build) => GetOrBuild(description, build, _ => true);

    /// <summary>The same, for patches of files.</summary>
    /// <param name="description">All that the patches depend on but the files.</param>
    /// <param name="build">Makes the patches.</param>
    /// <param name="isCurrent">Whether the files are still those that the kept patches were made of.</param>
    internal SourceResult GetOrBuild(string description, Func<SourceResult> build, Func<SourceReport, bool> isCurrent)
    {
        ArgumentNullException.ThrowIfNull(description);
        ArgumentNullException.ThrowIfNull(build);
        if (Folder is null)
        {
            return build();
        }

        byte[] key = SHA256.HashData(Encoding.UTF8.GetBytes(description));
        string path = PathOf(key);
        List<string> warnings = [];
        if (TryRead(path, key, warnings) is { } kept && isCurrent(kept.Report))
        {
            return kept;
        }

        SourceResult made = build();
        try
        {
            Directory.CreateDirectory(Folder);
            AtomicFile.Write(path, stream => Write(stream, key, made));
            Prune(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            warnings.Add($"the patches are not kept for the next run: {exception.Message} CUDAL2NET_CACHE names another folder.");
        }

        return warnings.Count == 0 ? made : made with { Report = made.Report with { Warnings = [.. made.Report.Warnings, .. warnings] } };
    }

    /// <summary>The file that patches of this description are kept in.</summary>
    internal string PathOf(string description) => PathOf(SHA256.HashData(Encoding.UTF8.GetBytes(description)));

    private string PathOf(byte[] key) => Path.Combine(Folder!, $"patches-{Convert.ToHexStringLower(key, 0, 16)}.bin");

    private static SourceResult? TryRead(string path, byte[] key, List<string> warnings)
    {
        try
        {
            if (!File.Exists(path))
            {
                return null;
            }

            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16);
            SourceResult kept = Read(stream, key);
            Touch(path);
            return kept;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            warnings.Add($"the kept patches in {path} are damaged ({exception.Message}) and were made anew");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            warnings.Add($"the kept patches in {path} cannot be read ({exception.Message}) and were made anew");
        }

        return null;
    }

    private static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The time only tells which files were used last.
        }
    }

    private static void Write(Stream stream, byte[] key, SourceResult result)
    {
        PatchSet patches = result.Patches;
        byte[] report = JsonSerializer.SerializeToUtf8Bytes(result.Report);
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), Version);
        key.CopyTo(header, 12);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12 + KeyBytes), patches.Count);
        int parts = (patches.Centres is null ? 0 : HasCentres) | (patches.ImageIds is null ? 0 : HasImages) | (patches.Large is null ? 0 : HasLarge);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16 + KeyBytes), parts);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(20 + KeyBytes), report.Length);

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Put(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(bytes);
            stream.Write(bytes);
        }

        Put(header);
        Put(report);
        Put(MemoryMarshal.AsBytes(patches.PointIds.AsSpan()));
        Put(MemoryMarshal.AsBytes(patches.ImageIds.AsSpan()));
        Put(patches.Pixels);
        Put(patches.Centres);
        Put(patches.Large);
        stream.Write(hash.GetHashAndReset());
    }

    private static SourceResult Read(Stream stream, byte[] key)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Take(Span<byte> bytes)
        {
            stream.ReadExactly(bytes);
            hash.AppendData(bytes);
        }

        byte[] header = new byte[HeaderBytes];
        Take(header);
        Require(header.AsSpan(0, 8).SequenceEqual(Magic), "it does not begin with CL2PATCH");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8));
        Require(version == Version, $"its version is {version}, not {Version}");
        Require(header.AsSpan(12, KeyBytes).SequenceEqual(key), "its key is another's");
        int count = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12 + KeyBytes));
        int parts = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(16 + KeyBytes));
        int reportBytes = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(20 + KeyBytes));
        Require((parts & ~(HasCentres | HasImages | HasLarge)) == 0, $"its parts {parts} are not known");
        bool hasCentres = (parts & HasCentres) != 0, hasImages = (parts & HasImages) != 0, hasLarge = (parts & HasLarge) != 0;

        // The length is checked before memory is laid out for what the counts promise.
        long patchBytes = ((hasCentres ? 2L : 1L) * PatchSet.Area) + (hasLarge ? PatchSet.LargeArea : 0), idBytes = hasImages ? 8 : 4;
        Require(count >= 0 && (long)count * (hasLarge ? PatchSet.LargeArea : PatchSet.Area) <= Array.MaxLength && reportBytes >= 0, "its counts are out of range");
        long expected = HeaderBytes + reportBytes + (count * (patchBytes + idBytes)) + SHA256.HashSizeInBytes;
        Require(stream.Length == expected, $"it has {stream.Length} bytes, not {expected}");

        byte[] report = new byte[reportBytes], pixels = new byte[count * PatchSet.Area];
        byte[]? centres = hasCentres ? new byte[pixels.Length] : null;
        byte[]? large = hasLarge ? new byte[count * PatchSet.LargeArea] : null;
        int[] pointIds = new int[count];
        int[]? imageIds = hasImages ? new int[count] : null;
        Take(report);
        Take(MemoryMarshal.AsBytes(pointIds.AsSpan()));
        Take(MemoryMarshal.AsBytes(imageIds.AsSpan()));
        Take(pixels);
        Take(centres);
        Take(large);
        byte[] checksum = new byte[SHA256.HashSizeInBytes];
        stream.ReadExactly(checksum);
        Require(hash.GetHashAndReset().AsSpan().SequenceEqual(checksum), "its checksum is wrong");
        try
        {
            SourceReport kept = JsonSerializer.Deserialize<SourceReport>(report, Strict) ?? new SourceReport();
            return new SourceResult(new PatchSet(pixels, pointIds, centres, imageIds, large), kept with { FromCache = true });
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw new InvalidDataException("its report or its patches make no sense", exception);
        }
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidDataException(otherwise);
        }
    }

    /// <summary>Deletes the files that were not used for longest until all together take at most 8 GiB.</summary>
    private void Prune(string justWritten)
    {
        FileInfo[] files = [.. new DirectoryInfo(Folder!).GetFiles("patches-*.bin").OrderByDescending(f => f.LastWriteTimeUtc)];
        long total = 0;
        foreach (FileInfo file in files)
        {
            total += file.Length;
            if (total > LargestTotal && file.FullName != Path.GetFullPath(justWritten))
            {
                file.Delete();
            }
        }
    }
}
