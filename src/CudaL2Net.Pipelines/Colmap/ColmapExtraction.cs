using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>How images are put into a database.</summary>
/// <param name="Camera">How cameras are made.</param>
/// <param name="Find">Finds the keypoints of an image; many threads call it at once. It throws InvalidDataException or IOException where an image is to be left out.</param>
/// <param name="KeepKeypoints">Whether the keypoints that the database has are described, instead of new ones.</param>
/// <param name="Force">Whether what the database has already is replaced.</param>
/// <param name="Settings">All that decides what is written, in words: what was written with other settings is not mixed with it.</param>
internal sealed record ColmapExtractOptions(CameraChoice Camera, Func<ImageEntry, Mat, Keypoint[]> Find, bool KeepKeypoints, bool Force, string Settings);

/// <summary>What was done.</summary>
/// <param name="Images">Images described now.</param>
/// <param name="Before">Images that were described before.</param>
/// <param name="Keypoints">Keypoints described now.</param>
/// <param name="Faults">A sentence about each image that could not be.</param>
internal sealed record ColmapExtractReport(int Images, int Before, long Keypoints, IReadOnlyList<string> Faults);

/// <summary>Fills a database with images, cameras, keypoints and descriptors, an image at a time. What a stopped run wrote is not done again.</summary>
/// <param name="database">The database.</param>
/// <param name="method">The descriptor.</param>
/// <param name="threads">The most threads that work at once; 0 is one per core.</param>
internal sealed class ColmapExtraction(ColmapDatabase database, IPatchDescriber method, int threads)
{
    /// <summary>The name of this step in the database.</summary>
    public const string Step = "extract";

    // Images that are decoded and searched while one is described.
    private const int Ahead = 2;

    /// <summary>Describes images.</summary>
    /// <param name="images">All images of the folder.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how many images are done, of how many.</param>
    /// <param name="cancellation">Ends it between two images; all before are in the database.</param>
    /// <exception cref="OtherSettingsException">The database was filled otherwise, and it is not to be replaced.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ColmapExtractReport Run(
        IReadOnlyList<ImageEntry> images, ColmapExtractOptions options, IProgress<(int Done, int Total)> progress, CancellationToken cancellation)
    {
        Dictionary<string, ColmapImage> known = database.Images().ToDictionary(image => image.Name, StringComparer.Ordinal);
        Prepare(options);
        HashSet<long> described = database.Ids("cudal2net_descriptors"), located = database.Ids("keypoints");
        var faults = new List<string>();
        var work = new List<Item>();
        int before = 0;
        foreach (ImageEntry image in images)
        {
            ColmapImage? entry = known.GetValueOrDefault(image.Name);
            if (entry is not null && described.Contains(entry.Id))
            {
                before++;
            }
            else if (options.KeepKeypoints && (entry is null || !located.Contains(entry.Id)))
            {
                faults.Add($"{image.Path} has no keypoints in the database");
            }
            else
            {
                work.Add(new Item(image, entry));
            }
        }

        long keypoints = 0;
        int done = 0, written = 0;
        long? shared = options.Camera.Shared && known.Count > 0 ? known.Values.MinBy(image => image.Id)!.CameraId : null;
        foreach (Prepared prepared in LookAhead.Run(WithKeypoints(work, options), Ahead, item => Prepare(item, options), cancellation))
        {
            using (prepared)
            {
                string? fault = prepared.Fault ?? Write(prepared, options, ref shared);
                if (fault is null)
                {
                    written++;
                    keypoints += prepared.Frames!.Keypoints.Length;
                }
                else
                {
                    faults.Add(fault);
                }
            }

            progress.Report((++done, work.Count));
        }

        return new ColmapExtractReport(written, before, keypoints, faults);
    }

    private void Prepare(ColmapExtractOptions options)
    {
        string? settings = database.Settings(Step);
        if (settings != options.Settings && !options.Force)
        {
            if (settings is not null)
            {
                throw new OtherSettingsException($"the database was filled with other settings ({settings}; now {options.Settings}); --force describes all images anew");
            }

            int there = database.Ids("keypoints").Count;
            if (there > 0 && !options.KeepKeypoints)
            {
                throw new OtherSettingsException(
                    $"the database has keypoints of {there} images from another program; --keep-keypoints describes them, --force replaces them");
            }
        }

        database.Transact(() =>
        {
            if (options.Force)
            {
                string[] filled = options.KeepKeypoints ? ["cudal2net_descriptors"] : ["cudal2net_descriptors", "keypoints", "descriptors", "matches", "two_view_geometries"];
                Array.ForEach(filled, database.Clear);
            }

            database.SetSettings(Step, options.Settings);
        });
    }

    // The database is for one thread, the one that takes the results.
    private IEnumerable<Item> WithKeypoints(IEnumerable<Item> items, ColmapExtractOptions options) =>
        options.KeepKeypoints ? items.Select(item => item with { Keypoints = database.Keypoints(item.Known!.Id) }) : items;

    private Prepared Prepare(Item item, ColmapExtractOptions options)
    {
        string path = item.Image.Path;
        StoredImage? image = null;
        try
        {
            image = ImageFile.LoadStored(path);
            KeypointFrames frames = item.Keypoints is { } kept
                ? Frames(kept, path)
                : new KeypointFrames(options.Find(item.Image, image.Grey));
            return new Prepared(item, image, frames, null);
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            image?.Dispose();
            return new Prepared(item, null, null, error.Message);
        }
    }

    private KeypointFrames Frames(ColmapKeypoints keypoints, string path)
    {
        try
        {
            return keypoints.ToFrames((float)(method.PatchSide / method.PatchScale));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path} {error.Message}", error);
        }
    }

    // What is wrong with the image, or null.
    private string? Write(Prepared prepared, ColmapExtractOptions options, ref long? shared)
    {
        (int width, int height) = (prepared.Image!.Grey.Width, prepared.Image.Grey.Height);
        if ((prepared.Item.Known?.CameraId ?? shared) is { } existing && database.CameraSize(existing) is var size && size != (width, height))
        {
            return $"{prepared.Item.Image.Path} has {width} x {height} pixels as it is stored, and its camera in the database has {size.Width} x {size.Height}";
        }

        DescriptorSet descriptors = prepared.Frames!.Describe(prepared.Image.Grey, method, threads);
        long? camera = shared;
        database.Transact(() =>
        {
            long id;
            if (prepared.Item.Known is { } known)
            {
                id = known.Id;
            }
            else
            {
                camera ??= database.AddCamera(options.Camera.Make(width, height, prepared.Image.RelativeFocal));
                id = database.AddImage(prepared.Item.Image.Name, camera.Value);
            }

            if (!options.KeepKeypoints)
            {
                database.SetKeypoints(id, ColmapKeypoints.Of(prepared.Frames.Keypoints));
            }

            bool readable = descriptors.Values is not null && descriptors.Dimension == ColmapDescriptors.Dimension && !database.Schema.TellsDescriptorType;
            database.SetColmapDescriptors(id, readable ? ColmapDescriptors.ToBytes(descriptors, signed: method is not SiftDescriber) : null);
            database.SetDescriptors(id, descriptors);
        });
        shared = options.Camera.Shared ? camera : null;
        return null;
    }

    private sealed record Item(ImageEntry Image, ColmapImage? Known, ColmapKeypoints? Keypoints = null);

    private sealed record Prepared(Item Item, StoredImage? Image, KeypointFrames? Frames, string? Fault) : IDisposable
    {
        public void Dispose() => Image?.Dispose();
    }
}
