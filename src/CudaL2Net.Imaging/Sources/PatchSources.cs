using CudaL2Net.Data;
using CudaL2Net.Imaging.Data;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Opens training data by its name: <c>synthetic</c>, <c>images:DIR</c>, <c>brown:DIR/liberty</c>, <c>hpatches:DIR</c> or <c>hpatches-all:DIR</c>.</summary>
public static class PatchSources
{
    /// <summary>The forms that a source's name can have, for messages and help.</summary>
    public const string Forms =
        "synthetic (procedural scenes), images:DIR (your photographs, no labels), brown:DIR/liberty (a PhotoTour set), hpatches:DIR (the training part of its "
            + "split a) or hpatches-all:DIR (all its sequences, test ones too)";

    // Part of the cache's key: kept patches are those of this very program, whatever of it made them, and of this OpenCV.
    private static readonly string Generator =
        $"{typeof(PatchSources).Module.ModuleVersionId} {typeof(PatchSet).Module.ModuleVersionId} OpenCV {Cv2.GetVersionString()}";

    /// <summary>Makes or loads the patches of a source.</summary>
    /// <param name="source"><c>synthetic</c>, <c>images:DIR</c>, <c>brown:DIR/liberty</c>, <c>hpatches:DIR</c> or <c>hpatches-all:DIR</c>.</param>
    /// <param name="points">Points to make of scenes and photographs; the labelled sets are loaded whole.</param>
    /// <param name="seed">The seed of scenes and pairs.</param>
    /// <param name="options">How patches are made of images; of labelled sets only <see cref="PairOptions.Parts"/> counts.</param>
    /// <param name="cache">Where made patches are kept; null for <see cref="PatchCache.Default"/>.</param>
    /// <param name="progress">Told the points made so far and the points asked for.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <param name="cancellation">Stops the making of patches.</param>
    /// <exception cref="ArgumentException">There is no such source, or an option is out of range.</exception>
    /// <exception cref="IOException">The folder is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">The folder holds no usable data; the message names the file and what is wrong.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static SourceResult Open(
        string source,
        int points,
        ulong seed,
        PairOptions? options = null,
        PatchCache? cache = null,
        IProgress<(int Done, int Total)>? progress = null,
        int threads = 0,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        options ??= new PairOptions();
        (string kind, string? folder) = Split(source);
        return kind switch
        {
            "synthetic" when folder is null => Make(new SyntheticSource(seed, threads: threads)),
            "images" when folder is not null => Make(new ImageFolderSource(folder)),
            "brown" when folder is not null => Label(BrownDataset.Open(folder).LoadForTraining(options.Parts)),
            "hpatches" when folder is not null => LoadHPatches(folder, "a"),
            "hpatches-all" when folder is not null => LoadHPatches(folder, null),
            _ => throw new ArgumentException($"'{source}' is no training data; give {Forms}", nameof(source)),
        };

        // A split keeps sequences to test on apart, so what is trained on is always said.
        SourceResult LoadHPatches(string path, string? split)
        {
            HPatchesDataset data = HPatchesDataset.Open(path);
            string chosen;
            try
            {
                chosen = split is null
                    ? $"all {data.Sequences.Count} sequences, test sequences too: do not test on HPatches afterwards"
                    : $"{data.ReadTrainingSequences(split).Count} of {data.Sequences.Count} sequences, the training part of split {split} in "
                        + data.FindSplits(split);
            }
            catch (FileNotFoundException missing)
            {
                throw new FileNotFoundException($"{missing.Message} hpatches-all:{path} trains on all sequences, test sequences too.", missing);
            }

            return Label(data.LoadForTraining(split, options.Parts), $"{source}: {chosen}");
        }

        SourceResult Make(ImageSource images)
        {
            options.Validate();
            string description = $"generator {Generator}; {images.Identity}; points {points}; seed {seed}; {options}";
            return (cache ?? PatchCache.Default).GetOrBuild(description, () => images.Build(points, options, seed, progress, threads, cancellation), images.IsMadeOf);
        }
    }

    private static (string Kind, string? Folder) Split(string source)
    {
        int colon = source.IndexOf(':');
        return colon < 0 ? (source, null) : (source[..colon], source[(colon + 1)..] is { Length: > 0 } folder ? folder : null);
    }

    private static SourceResult Label(LabelledPatches labelled, params IEnumerable<string> notes)
    {
        List<string> warnings = [.. notes];
        if (labelled.Thinned > 0)
        {
            warnings.Add($"{labelled.Thinned} patches were left out: all of them do not fit into memory as one set");
        }

        int points = 0, last = -1;
        HashSet<int> seen = [];
        foreach (int id in labelled.Patches.PointIds)
        {
            points += id != last && seen.Add(id) ? 1 : 0;
            last = id;
        }

        return new SourceResult(labelled.Patches, new SourceReport { Points = points, FlatPoints = labelled.NearUniform, Warnings = warnings });
    }
}
