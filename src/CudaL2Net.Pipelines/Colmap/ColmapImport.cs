using System.Runtime.InteropServices;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Pipelines.Hloc;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>What was done.</summary>
/// <param name="Images">Images imported.</param>
/// <param name="Keypoints">Their keypoints.</param>
/// <param name="Pairs">Pairs imported.</param>
/// <param name="Matches">Their matches.</param>
/// <param name="Verified">Of these, the ones that agree with their pair's geometry.</param>
internal sealed record ColmapImportReport(int Images, long Keypoints, int Pairs, long Matches, long Verified);

/// <summary>Puts hloc's files into a database, in one transaction.</summary>
/// <param name="database">A database without images.</param>
internal sealed class ColmapImport(ColmapDatabase database)
{
    private const int Ahead = 3;

    /// <summary>Imports features, and matches.</summary>
    /// <param name="features">The file of features.</param>
    /// <param name="matches">The file of matches; null for none.</param>
    /// <param name="images">The images' folder, for focal lengths and for sizes that the features do not tell; null to do without.</param>
    /// <param name="camera">How cameras are made.</param>
    /// <param name="tolerance">The largest error of a verified match in pixels; null to leave matches unverified.</param>
    /// <param name="progress">Is told how many images and pairs are done, of how many.</param>
    /// <param name="cancellation">Ends it; nothing is written then.</param>
    /// <exception cref="OtherSettingsException">The database has images already.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the two do not go together.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ColmapImportReport Run(
        string features, string? matches, string? images, CameraChoice camera, double? tolerance, IProgress<(int Done, int Total)> progress, CancellationToken cancellation)
    {
        if (database.Images().Count > 0)
        {
            throw new OtherSettingsException("the database has images already; name a new file");
        }

        using FeatureFile featureFile = FeatureFile.Open(features);
        using MatchFile? matchFile = matches is null ? null : MatchFile.Open(matches);
        int total = featureFile.Names.Count + (matchFile?.Groups.Count ?? 0), done = 0;
        var report = new ColmapImportReport(0, 0, 0, 0, 0);
        database.Transact(() =>
        {
            var numbers = new Dictionary<string, long>(StringComparer.Ordinal);
            var points = new Dictionary<long, int>();
            long? shared = null;
            foreach (string name in featureFile.Names)
            {
                cancellation.ThrowIfCancellationRequested();
                ColmapKeypoints keypoints = Keypoints(featureFile, name);
                ColmapCamera made = Camera(featureFile, name, features, images, camera);
                long cameraId = shared ?? database.AddCamera(made);
                long number = database.AddImage(name, cameraId);
                shared = camera.Shared ? cameraId : null;
                database.SetKeypoints(number, keypoints);
                points[number] = keypoints.Rows;
                if (!numbers.TryAdd(MatchFile.Dashed(name), number))
                {
                    throw new InvalidDataException($"{features}: two images have the name {MatchFile.Dashed(name)} once slashes are dashes, as in files of matches");
                }

                report = report with { Images = report.Images + 1, Keypoints = report.Keypoints + keypoints.Rows };
                progress.Report((++done, total));
            }

            if (matchFile is not null)
            {
                report = Matches(matchFile, numbers, points, tolerance, report, () => progress.Report((++done, total)), cancellation);
            }
        });
        return report;
    }

    private static ColmapKeypoints Keypoints(FeatureFile file, string name)
    {
        float[] points = file.Points(name);
        if (file.Frames(name) is not { } frames || frames.Scales.Length != points.Length / 2)
        {
            return ColmapKeypoints.OfPoints(Array.ConvertAll(points, value => value + 0.5f));
        }

        return ColmapKeypoints.Of([.. Enumerable.Range(0, points.Length / 2).Select(i =>
            new Keypoint(points[2 * i], points[(2 * i) + 1], 2 * frames.Scales[i], frames.Orientations[i], 0, 0))]);
    }

    private static ColmapCamera Camera(FeatureFile file, string name, string features, string? images, CameraChoice camera)
    {
        (int Width, int Height)? size = file.Size(name);
        if (images is not null)
        {
            using StoredImage image = ImageFile.LoadStored(Path.Combine(images, name));
            return size is null || size == (image.Grey.Width, image.Grey.Height)
                ? camera.Make(image.Grey.Width, image.Grey.Height, image.RelativeFocal)
                : throw new InvalidDataException($"{features}: image {name} has {size.Value.Width} x {size.Value.Height} pixels there, and {image.Grey.Width} x "
                    + $"{image.Grey.Height} in {images}");
        }

        return size is { } known
            ? camera.Make(known.Width, known.Height, null)
            : throw new InvalidDataException($"{features}: image {name} has no image_size; name the images' folder with --images");
    }

    private ColmapImportReport Matches(
        MatchFile file, Dictionary<string, long> numbers, Dictionary<long, int> counts, double? tolerance, ColmapImportReport report, Action step, CancellationToken cancellation)
    {
        var cache = new BoundedCache<long, Point2d[]>(256L << 20, image => database.Keypoints(image)!.Places(), places => places.LongLength * Marshal.SizeOf<Point2d>());
        var known = new HashSet<long>();
        foreach ((long id, uint[] matches, ColmapGeometry? geometry) in LookAhead.Run(file.Groups.Select(Load).OfType<Pair>(), Ahead, Verify, cancellation))
        {
            database.SetMatches(id, matches);
            if (geometry is not null)
            {
                database.SetGeometry(id, geometry);
            }

            report = report with
            {
                Pairs = report.Pairs + 1,
                Matches = report.Matches + (matches.Length / 2),
                Verified = report.Verified + ((geometry?.Inliers.Length ?? 0) / 2),
            };
            step();
        }

        database.SetSettings(ColmapMatching.MatchStep, "imported");
        return report;

        // A pair may stand there both ways; the first counts, as in hloc.
        Pair? Load(string group)
        {
            (long first, long second) = file.PairOf(group, numbers);
            uint[] matches = file.Read(group, counts[first], counts[second]);
            if (first == second || !known.Add(ColmapDatabase.PairId(first, second)))
            {
                return null;
            }

            return first < second
                ? new Pair(first, second, matches, cache.Get(first), cache.Get(second))
                : new Pair(second, first, [.. matches.Chunk(2).SelectMany(match => new[] { match[1], match[0] })], cache.Get(second), cache.Get(first));
        }

        (long Id, uint[] Matches, ColmapGeometry? Geometry) Verify(Pair pair) => (ColmapDatabase.PairId(pair.First, pair.Second), pair.Matches,
            tolerance is { } pixels ? ColmapVerification.Verify(pair.FirstPlaces, pair.SecondPlaces, pair.Matches, pixels) : null);
    }

    private sealed record Pair(long First, long Second, uint[] Matches, Point2d[] FirstPlaces, Point2d[] SecondPlaces);
}
