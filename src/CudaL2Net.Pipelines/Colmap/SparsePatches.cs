using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Numerics;
using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>How patches are cut from a reconstruction.</summary>
/// <param name="Points">The most points.</param>
/// <param name="Views">The most patches per point.</param>
/// <param name="PatchScale">The side of a patch in the image, in diameters of its keypoint.</param>
/// <param name="Seed">Which points and views are taken where there are more.</param>
internal sealed record SparsePatchOptions(int Points, int Views, double PatchScale, ulong Seed);

/// <summary>Patches of points that several photographs see.</summary>
/// <param name="Pixels">[n][64][64].</param>
/// <param name="PointIds">[n]: the point of each, patches of one point behind one another.</param>
/// <param name="Points">Points.</param>
/// <param name="Images">Images that patches were cut from.</param>
/// <param name="Faults">A sentence about each image that could not be read.</param>
internal sealed record SparsePatchSet(byte[] Pixels, int[] PointIds, int Points, int Images, IReadOnlyList<string> Faults);

/// <summary>
/// Cuts patches of a reconstruction's points, as Brown's data were made (Winder and Brown, CVPR 2007): a point's patch in an image is cut around the SIFT keypoint
/// that lies there, with its own scale and orientation, so that patches have the errors that a detector makes. A keypoint counts if its scale and orientation agree
/// with those of the point's other keypoints, seen through the cameras.
/// </summary>
/// <param name="model">The reconstruction.</param>
/// <param name="folder">The images' folder.</param>
internal sealed class SparsePatches(SparseModel model, string folder)
{
    /// <summary>The farthest that a keypoint may lie from where the point is seen, in pixels.</summary>
    public const double MostDistance = 1.5;

    /// <summary>The largest mean reprojection error of a point, in pixels.</summary>
    public const double MostError = 2;

    /// <summary>The largest angle between the view of an image and the mean of the views of a point, in degrees: beyond it, it may be occluded.</summary>
    public const double MostAngle = 60;

    // Brown's: a quarter of an octave, an eighth of half a turn; of the middle of a point's keypoints.
    private const double MostOctaves = 0.25, MostTurn = 22.5;

    // Two points that are nearer than this in an image, in pixels or in diameters of the smaller keypoint, are never both taken: their patches show the same.
    private const double LeastPixels = 5, LeastDiameters = 1;

    private const int Ahead = 2, Side = 64;

    private readonly List<string> faults = [];

    /// <summary>Cuts patches.</summary>
    /// <param name="options">How many, and how large.</param>
    /// <param name="progress">Is told how many images are read, of how many: each is read twice.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="InvalidDataException">No point has two patches.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public SparsePatchSet Cut(SparsePatchOptions options, IProgress<(int Done, int Total)> progress, CancellationToken cancellation)
    {
        (long Id, SparseImage Image)[] images = [.. model.Images.OrderBy(image => image.Value.Name, StringComparer.Ordinal).Select(image => (image.Key, image.Value))];
        ILookup<long, (int Point, int Index)> seen = model.Points.Select((point, number) => (point, number)).Where(one => one.point.Error <= MostError)
            .SelectMany(one => one.point.Track, (one, view) => (view.Image, Point: one.number, view.Index)).ToLookup(view => view.Image, view => (view.Point, view.Index));
        int done = 0;

        // All keypoints that lie where points are seen.
        var views = new List<View>?[model.Points.Count];
        foreach (((long id, SparseImage image), Keypoint[] found) in LookAhead.Run(images, Ahead, entry => (entry, Find(entry.Image)), cancellation))
        {
            AddViews(views, id, image, found, seen[id]);
            progress.Report((++done, 2 * images.Length));
        }

        Dictionary<long, List<(Keypoint Keypoint, int Row)>> chosen = Choose(views, options, out int[] pointIds, out int points);
        if (points < 2)
        {
            throw new InvalidDataException($"{points} points of the reconstruction have two patches that agree, and a set needs two or more"
                + (faults.Count > 0 ? $"; {faults[0]}" : string.Empty));
        }

        byte[] pixels = new byte[(long)pointIds.Length * Side * Side];
        foreach ((long id, byte[] cut) in LookAhead.Run(images.Where(image => chosen.ContainsKey(image.Id)).ToArray(), Ahead, image => (image.Id, CutFrom(image.Image, chosen[image.Id], options)), cancellation))
        {
            for (int i = 0; i < chosen[id].Count; i++)
            {
                cut.AsSpan(i * Side * Side, Side * Side).CopyTo(pixels.AsSpan(chosen[id][i].Row * Side * Side));
            }

            progress.Report((++done, 2 * images.Length));
        }

        return new SparsePatchSet(pixels, pointIds, points, chosen.Count, faults);
    }

    // Keypoints of COLMAP's frame, which is not turned.
    private Keypoint[] Find(SparseImage image)
    {
        try
        {
            using StoredImage stored = ImageFile.LoadStored(Path.Combine(folder, image.Name));
            ColmapCamera camera = model.Cameras[image.Camera];
            return (stored.Grey.Width, stored.Grey.Height) == (camera.Width, camera.Height)
                ? KeypointDetector.Detect(stored.Grey)
                : throw new InvalidDataException($"{Path.Combine(folder, image.Name)} has {stored.Grey.Width} x {stored.Grey.Height} pixels, and {camera.Width} x "
                    + $"{camera.Height} in the reconstruction");
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            lock (faults)
            {
                faults.Add(error.Message);
            }

            return [];
        }
    }

    private byte[] CutFrom(SparseImage image, List<(Keypoint Keypoint, int Row)> chosen, SparsePatchOptions options)
    {
        using StoredImage stored = ImageFile.LoadStored(Path.Combine(folder, image.Name));
        return PatchCutter.Cut(stored.Grey, chosen.Select(one => one.Keypoint).ToArray(), options.PatchScale, Side);
    }

    private void AddViews(List<View>?[] views, long id, SparseImage image, Keypoint[] found, IEnumerable<(int Point, int Index)> seen)
    {
        ILookup<(int, int), Keypoint> cells = found.ToLookup(keypoint => Cell(keypoint.X, keypoint.Y));
        double focal = model.Cameras[image.Camera].Parameters[0];
        foreach ((int number, int index) in seen)
        {
            // The centre of the top left pixel is (0, 0) from here on.
            (double x, double y) = (image.Places[2 * index] - 0.5, image.Places[(2 * index) + 1] - 0.5);
            SparsePoint point = model.Points[number];
            (double cameraX, double cameraY, double depth) = image.ToCamera(point.X, point.Y, point.Z);
            if (!(depth > 0))
            {
                continue;
            }

            (int column, int row) = Cell(x, y);
            for (int i = 0; i < 9; i++)
            {
                foreach (Keypoint keypoint in cells[(column + (i % 3) - 1, row + (i / 3) - 1)])
                {
                    if (((keypoint.X - x) * (keypoint.X - x)) + ((keypoint.Y - y) * (keypoint.Y - y)) <= MostDistance * MostDistance)
                    {
                        (views[number] ??= []).Add(new View(id, keypoint, Math.Log2(keypoint.Size * depth / focal), (cameraX / depth, cameraY / depth)));
                    }
                }
            }
        }

        static (int Column, int Row) Cell(double x, double y) => ((int)Math.Floor(x / MostDistance), (int)Math.Floor(y / MostDistance));
    }

    private Dictionary<long, List<(Keypoint Keypoint, int Row)>> Choose(List<View>?[] views, SparsePatchOptions options, out int[] pointIds, out int points)
    {
        var chosen = new Dictionary<long, List<(Keypoint, int)>>();
        var taken = new Dictionary<(long Image, int Column, int Row), List<Keypoint>>();
        var draws = new PhiloxStream(options.Seed, DrawPurpose.Evaluation, 0);
        int[] order = [.. Enumerable.Range(0, views.Length).Where(number => views[number] is { Count: > 1 })];
        draws.Shuffle<int>(order);
        var ids = new List<int>();
        points = 0;
        foreach (int number in order)
        {
            if (points == options.Points)
            {
                break;
            }

            View[] agreeing = Agreeing(model.Points[number], views[number]!);

            // A point that lies beside another one in one image is not taken with its other images either: they show the same.
            if (agreeing.Length < 2 || !Array.TrueForAll(agreeing, IsFree))
            {
                continue;
            }

            draws.Shuffle<View>(agreeing);
            foreach (View view in agreeing.Take(options.Views))
            {
                if (!chosen.TryGetValue(view.Image, out List<(Keypoint, int)>? list))
                {
                    chosen[view.Image] = list = [];
                }

                list.Add((view.Keypoint, ids.Count));
                ids.Add(points);
            }

            foreach (View view in agreeing)
            {
                Take(view);
            }

            points++;
        }

        pointIds = [.. ids];
        return chosen;

        bool IsFree(View view)
        {
            int reach = 1 + (int)(Apart(view.Keypoint) / LeastPixels);
            (int column, int row) = Cell(view.Keypoint);
            for (int y = row - reach; y <= row + reach; y++)
            {
                for (int x = column - reach; x <= column + reach; x++)
                {
                    if (taken.TryGetValue((view.Image, x, y), out List<Keypoint>? near) && near.Exists(other => IsNear(view.Keypoint, other)))
                    {
                        return false;
                    }
                }
            }

            return true;
        }

        void Take(View view)
        {
            (int column, int row) = Cell(view.Keypoint);
            if (!taken.TryGetValue((view.Image, column, row), out List<Keypoint>? list))
            {
                taken[(view.Image, column, row)] = list = [];
            }

            list.Add(view.Keypoint);
        }
    }

    // One keypoint per image: those whose scale and turn agree with the one that agrees with most.
    private View[] Agreeing(SparsePoint point, List<View> views)
    {
        (double X, double Y, double Z)[] rays = [.. views.Select(view => Ray(point, model.Images[view.Image]))];
        (double X, double Y, double Z) mean = Unit(rays.Sum(ray => ray.X), rays.Sum(ray => ray.Y), rays.Sum(ray => ray.Z));
        double leastCosine = Math.Cos(MostAngle * Math.PI / 180);
        (double X, double Y, double Z) across = Math.Abs(mean.X) < 0.8 ? Unit(0, mean.Z, -mean.Y) : Unit(-mean.Z, 0, mean.X);
        (View View, double Turn)[] seen =
        [
            .. views.Where((_, i) => (rays[i].X * mean.X) + (rays[i].Y * mean.Y) + (rays[i].Z * mean.Z) >= leastCosine)
                .Select(view => (view, view.Keypoint.Angle - Direction(view, across))),
        ];
        View[] best = [];
        foreach ((View View, double Turn) middle in seen)
        {
            View[] agree =
            [
                .. seen.Where(other => Math.Abs(other.View.Octaves - middle.View.Octaves) <= MostOctaves && Math.Abs(Difference(other.Turn, middle.Turn)) <= MostTurn)
                    .GroupBy(other => other.View.Image)
                    .Select(group => group.MinBy(other => Math.Abs(other.View.Octaves - middle.View.Octaves) + (Math.Abs(Difference(other.Turn, middle.Turn)) / 90)).View),
            ];
            best = agree.Length > best.Length ? agree : best;
        }

        return best;
    }

    // Where a direction of the world goes in the image: degrees, clockwise.
    private double Direction(View view, (double X, double Y, double Z) direction)
    {
        (double x, double y, double z) = model.Images[view.Image].Turn(direction.X, direction.Y, direction.Z);
        return Math.Atan2(y - (view.Tangent.Y * z), x - (view.Tangent.X * z)) * (180 / Math.PI);
    }

    private static (double X, double Y, double Z) Ray(SparsePoint point, SparseImage image)
    {
        (double x, double y, double z) = image.Centre();
        return Unit(x - point.X, y - point.Y, z - point.Z);
    }

    private static (double X, double Y, double Z) Unit(double x, double y, double z)
    {
        double norm = Math.Max(Math.Sqrt((x * x) + (y * y) + (z * z)), double.Epsilon);
        return (x / norm, y / norm, z / norm);
    }

    private static double Difference(double a, double b) => Math.IEEERemainder(a - b, 360);

    private static double Apart(Keypoint keypoint) => Math.Max(LeastPixels, LeastDiameters * keypoint.Size);

    private static bool IsNear(Keypoint a, Keypoint b)
    {
        double x = a.X - b.X, y = a.Y - b.Y, apart = Math.Min(Apart(a), Apart(b));
        return (x * x) + (y * y) < apart * apart;
    }

    private static (int Column, int Row) Cell(Keypoint keypoint) => ((int)Math.Floor(keypoint.X / LeastPixels), (int)Math.Floor(keypoint.Y / LeastPixels));

    // A keypoint where a point is seen: its size as it is in the world, in octaves; and the ray to it.
    private sealed record View(long Image, Keypoint Keypoint, double Octaves, (double X, double Y) Tangent);
}
