using System.Collections.Concurrent;
using CudaL2Net.Data;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Images by number, and the patches of their keypoints.</summary>
public abstract class ImageSource
{
    private const int NamedWarnings = 10;

    /// <summary>
    /// What the images are: two sources with the same identity, seed and bytes in their files give the same patches. Part of the cache's key.
    /// </summary>
    public abstract string Identity { get; }

    /// <summary>Whether the files that patches were made of have not changed since.</summary>
    internal virtual bool IsMadeOf(SourceReport report) => true;

    /// <summary>How many images there are; null where they never end.</summary>
    protected abstract int? Count { get; }

    /// <summary>Makes a set of patches. The same arguments give the same bytes, whatever the number of threads.</summary>
    /// <param name="points">The number of points asked for; fewer, with a warning, where the images do not hold as many.</param>
    /// <param name="options">How patches are made.</param>
    /// <param name="seed">The seed of all draws.</param>
    /// <param name="progress">Told the points made so far and the points asked for.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the set would pass 2 GiB.</exception>
    /// <exception cref="InvalidDataException">No image could be read, or none has a point.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public SourceResult Build(
        int points, PairOptions options, ulong seed, IProgress<(int Done, int Total)>? progress = null, int threads = 0,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        int patchBytes = options.Parts.HasFlag(PatchParts.Large) ? PatchSet.LargeArea : PatchSet.Area;
        if (points < 1 || (long)points * (options.Copies + 1) * patchBytes > Array.MaxLength)
        {
            throw new ArgumentException(
                $"the number of points must be 1 to {Array.MaxLength / patchBytes / (options.Copies + 1)}, not {points}", nameof(points));
        }

        PairGenerator generator = new(options);
        Collector collector = new(points, options.Parts);
        threads = threads > 0 ? threads : Environment.ProcessorCount;

        // Each worker has an image of its own, so OpenCV's threads would only add to them.
        int openCvThreads = Cv2.GetNumThreads();
        Cv2.SetNumThreads(1);
        try
        {
            Run(generator, collector, options, seed, progress, threads, cancellation);
        }
        finally
        {
            Cv2.SetNumThreads(openCvThreads);
        }

        SourceResult result = collector.Finish(this);
        return Notes.Count == 0 ? result : result with { Report = result.Report with { Warnings = [.. Notes, .. result.Report.Warnings] } };
    }

    /// <summary>What was passed over when the images were listed, for people.</summary>
    internal virtual IReadOnlyList<string> Notes => [];

    /// <summary>Loads image <paramref name="index"/>: 8 bits, one channel.</summary>
    /// <exception cref="IOException">The image cannot be read; it is skipped and counted.</exception>
    /// <exception cref="InvalidDataException">The image is damaged; it is skipped and counted.</exception>
    protected abstract Mat Load(int index, PairOptions options);

    /// <summary>The order in which images are gone through.</summary>
    protected abstract int[]? Order(ulong seed);

    /// <summary>The name and SHA-256 of the file of an image that was loaded; null where it is of no file.</summary>
    internal virtual (string Name, string Digest)? FileOf(int index) => null;

    /// <summary>Why there are no points at all.</summary>
    protected abstract string Barren(int damaged);

    private void Run(
        PairGenerator generator, Collector collector, PairOptions options, ulong seed, IProgress<(int Done, int Total)>? progress, int threads,
        CancellationToken cancellation)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        TaskScheduler scheduler = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler;
        int[]? order = Order(seed);
        ConcurrentDictionary<int, string> damaged = [];
        Queue<Task<(int Image, ImagePoints? Points, string? Damage)>> underway = [];
        int next = 0;

        (int, ImagePoints?, string?) Make(int turn)
        {
            enough.Token.ThrowIfCancellationRequested();
            int image = order is null ? turn : order[turn % order.Length], pass = order is null ? 0 : turn / order.Length;
            if (damaged.TryGetValue(image, out string? known))
            {
                return (image, null, known);
            }

            try
            {
                using Mat grey = Load(image, options);
                return (image, generator.Generate(grey, seed, (uint)image, pass), null);
            }
            catch (Exception exception) when (exception is IOException or InvalidDataException)
            {
                return (image, null, damaged[image] = exception.Message);
            }
        }

        // Results are taken in the images' order, so the threads' pace does not show in them.
        int barren = 0;
        try
        {
            while (!collector.IsFull && (Count is not { } count || barren < count))
            {
                while (underway.Count < 2 * threads)
                {
                    int turn = next++;
                    underway.Enqueue(Task.Factory.StartNew(() => Make(turn), enough.Token, TaskCreationOptions.None, scheduler));
                }

                (int image, ImagePoints? made, string? damage) = underway.Dequeue().GetAwaiter().GetResult();
                barren = made is { PatchesPerPoint.Length: > 0 } ? 0 : barren + 1;
                collector.Add(image, made, damage);
                progress?.Report((collector.Points, collector.Wanted));
            }
        }
        finally
        {
            enough.Cancel();
            foreach (Task task in underway)
            {
                ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
                _ = task.Exception;
            }
        }
    }

    /// <summary>Puts the images' points together.</summary>
    private sealed class Collector(int wanted, PatchParts kept)
    {
        private readonly List<(int Image, ImagePoints Points)> parts = [];
        private readonly List<string> warnings = [];
        private readonly HashSet<int> damaged = [], seen = [];

        public int Wanted { get; } = wanted;

        public int Points { get; private set; }

        public bool IsFull => Points >= Wanted;

        public void Add(int image, ImagePoints? made, string? damage)
        {
            seen.Add(image);
            if (damage is not null && damaged.Add(image) && damaged.Count <= NamedWarnings)
            {
                warnings.Add("skipped: " + damage);
            }

            if (made is not null)
            {
                parts.Add((image, made));
                Points = Math.Min(Points + made.PatchesPerPoint.Length, Wanted);
            }
        }

        public SourceResult Finish(ImageSource source)
        {
            int count = Count(source);
            byte[] pixels = new byte[count * PatchSet.Area];
            byte[]? centres = kept.HasFlag(PatchParts.Centres) ? new byte[pixels.Length] : null;
            byte[]? large = kept.HasFlag(PatchParts.Large) ? new byte[count * PatchSet.LargeArea] : null;
            int[] pointIds = new int[count], imageIds = new int[count];
            Walk((part, from, to, patches, point) =>
            {
                parts[part].Points.Pixels.AsSpan(from * PatchSet.Area, patches * PatchSet.Area).CopyTo(pixels.AsSpan(to * PatchSet.Area));
                parts[part].Points.Centres?.AsSpan(from * PatchSet.Area, patches * PatchSet.Area).CopyTo(centres.AsSpan(to * PatchSet.Area));
                parts[part].Points.Large?.AsSpan(from * PatchSet.LargeArea, patches * PatchSet.LargeArea).CopyTo(large.AsSpan(to * PatchSet.LargeArea));
                pointIds.AsSpan(to, patches).Fill(point);
                imageIds.AsSpan(to, patches).Fill(parts[part].Image);
            });
            return new SourceResult(new PatchSet(pixels, pointIds, centres, imageIds, large), Report(source));
        }

        private int Count(ImageSource source) =>
            Points > 0 ? Walk((_, _, _, _, _) => { })
                : throw new InvalidDataException(string.Join("; ", warnings.Take(1).Prepend(source.Barren(damaged.Count))));

        private SourceReport Report(ImageSource source)
        {
            if (damaged.Count > NamedWarnings)
            {
                warnings.Add($"skipped: {damaged.Count - NamedWarnings} more damaged images");
            }

            if (!IsFull)
            {
                warnings.Add($"the images hold {Points} points, not the {Wanted} asked for; add images for more");
            }

            return new SourceReport
            {
                Points = Points,
                Images = parts.Count(p => p.Points.PatchesPerPoint.Length > 0),
                DamagedPictures = damaged.Count,
                FlatPoints = parts.Sum(p => (long)p.Points.FlatPoints),
                LostPoints = parts.Sum(p => (long)p.Points.LostPoints),
                DetectedPatches = parts.Sum(p => (long)p.Points.Detected),
                Warnings = warnings,
                Files = seen.Order().Select(source.FileOf).OfType<(string Name, string Digest)>().ToDictionary(file => file.Name, file => file.Digest),
            };
        }

        /// <summary>Visits the points that are wanted: (part, first patch in it, first patch in the set, patches, point). Returns the number of
        /// patches.</summary>
        private int Walk(Action<int, int, int, int, int> visit)
        {
            int to = 0, point = 0;
            for (int part = 0; part < parts.Count; part++)
            {
                int from = 0;
                foreach (int patches in parts[part].Points.PatchesPerPoint)
                {
                    if (point == Wanted)
                    {
                        return to;
                    }

                    visit(part, from, to, patches, point++);
                    from += patches;
                    to += patches;
                }
            }

            return to;
        }
    }
}
