using System.IO.Compression;
using System.Text;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sources;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Arrays, and the cache of patches.</summary>
internal static class ArrayReaders
{
    public static Reader Npy(string name) => new(name, "array.npy",
        [
            new("floats", Written.By(path => NpyFile.Write<float>(path, [1, 2, 3, 4, 5, 6], 2, 3))),
            new("bytes", Written.By(path => NpyFile.Write<byte>(path, Written.Noise(96, 1), 2, 6, 8))),
            new("Fortran order", NpyFileOf("{'descr': '>f8', 'fortran_order': True, 'shape': (2, 3), }", 2, new byte[48])),
            new("version 3", NpyFileOf("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", 3, new byte[8])),
            new("many sizes", NpyFileOf(
                $"{{'descr': '<f4', 'fortran_order': True, 'shape': ({string.Concat(Enumerable.Repeat("1,", 200_000))}), }}", 2, new byte[4]), IsValid: false),
            new("many quotes", NpyFileOf($"{{'descr': {string.Concat(Enumerable.Repeat("'a':", 50_000))} }}", 2, []), IsValid: false),
        ],
        (path, digest) =>
        {
            NpyArray array = NpyFile.Read(path);
            digest.Add(array.Shape);
            digest.Add(array.ElementType.Name);
            digest.Add(array.ToFloats());
        })
    { Promise = Promise.NoticesCuts, Share = 2 };

    public static Reader KeypointRows(string name) => new(name, "keypoints.npy",
        [new("written", Written.By(
            path => KeypointFile.Write(path, [new(10.5f, 20, 9, 45, 0.1f, 0), new(80, 60.25f, 12, 359, 0.2f, 0)]), "keypoints.npy")),
        new("affine", Written.By(path => KeypointFile.Write(path, [Keypoint.FromShape(10.5f, 20, new AffineShape(4, -1, 0.5f, 3))]), "keypoints.npy"))],
        (path, digest) => digest.Add(KeypointFile.Read(path, 12)))
    { Promise = Promise.NoticesCuts };

    public static Reader Npz(string name)
    {
        byte[] array = Written.By(path => NpyFile.Write<float>(path, [1, 2, 3, 4, 5, 6], 2, 3));
        return new Reader(name, "arrays.npz",
            [
                new("stored", Zip(array, CompressionLevel.NoCompression)),
                new("compressed", Zip(array, CompressionLevel.SmallestSize)),
                new("zeros", Zip(NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (4194304,), }", 1, new byte[1 << 22]), CompressionLevel.Fastest)),
                new("bomb", Zip(NpyFileOf("{'descr': '<f8', 'fortran_order': False, 'shape': (134217728,), }", 1, new byte[1 << 22]), CompressionLevel.Fastest),
                    IsValid: false),
            ],
            (path, digest) => digest.Add(NpzFile.Read(path).ToFloats()))
        { Promise = Promise.NoticesAll };

        static byte[] Zip(byte[] array, CompressionLevel level)
        {
            using var file = new MemoryStream();
            using (var archive = new ZipArchive(file, ZipArchiveMode.Create))
            {
                using Stream stream = archive.CreateEntry("patches.npy", level).Open();
                stream.Write(array);
            }

            return file.ToArray();
        }
    }

    public static Reader Patches(string name) => new(name, "patches.npy",
        [
            new("bytes", Written.By(path => NpyFile.Write<byte>(path, Written.Noise(2 * 32 * 32, 2), 2, 32, 32))),
            new("floats", Written.By(path => NpyFile.Write<float>(path, Array.ConvertAll(Written.Noise(32 * 32, 3), value => value / 255f), 1, 32, 32))),
        ],
        (path, digest) =>
        {
            foreach (PatchBlock block in PatchInput.Read(path, null, _ => { }))
            {
                digest.Add(block.Side);
                digest.Add(block.Pixels.Span);
            }
        })
    { Promise = Promise.NoticesCuts };

    // A damaged cache is made anew, with a warning that names the file: what comes out is always the right patches.
    public static Reader Cache(string name)
    {
        const string Description = "what the patches depend on";
        SourceResult right = new(
            new PatchSet(Written.Noise(3 * PatchSet.Area, 4), [1, 1, 2], imageIds: [0, 0, 1]), new SourceReport { Points = 2, Warnings = ["one"] });
        byte[] kept = Written.By(path =>
        {
            var cache = new PatchCache(Path.GetDirectoryName(path));
            cache.GetOrBuild(Description, () => right);
            File.Copy(cache.PathOf(Description), path);
        });
        string file = Path.GetFileName(new PatchCache(".").PathOf(Description));
        return new Reader(name, file, [new("three patches", kept)], (path, digest) =>
        {
            SourceResult read = new PatchCache(Path.GetDirectoryName(path)).GetOrBuild(Description, () => right);
            if (!read.Report.FromCache && !read.Report.Warnings.Any(warning => warning.Contains(path, StringComparison.Ordinal)))
            {
                throw new InvalidOperationException($"it was made anew without a word; warnings: {string.Join(' ', read.Report.Warnings)}");
            }

            digest.Add(read.Patches.Pixels);
            digest.Add(read.Patches.PointIds);
            digest.Add(read.Patches.ImageIds ?? []);
        })
        { Promise = Promise.NoticesAll };
    }

    private static byte[] NpyFileOf(string header, byte version, byte[] data)
    {
        byte[] text = Encoding.ASCII.GetBytes(header + "\n");
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. data];
    }
}
