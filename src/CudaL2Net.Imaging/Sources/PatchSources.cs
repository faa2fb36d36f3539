using CudaL2Net.Data;
using CudaL2Net.Imaging.Data;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Opens training data by its name: <c>synthetic</c>, <c>images:DIR</c>, <c>brown:DIR/liberty</c> or <c>hpatches:DIR</c>.</summary>
public static class PatchSources
{
    /// <summary>The forms that a source's name can have, for messages and help.</summary>
    public const string Forms =
        "synthetic (procedural scenes), images:DIR (your photographs, no labels), brown:DIR/liberty (a PhotoTour set) or hpatches:DIR (its training part)";

    // Part of the cache's key: raise it when the same options give other patches.
    private const int GeneratorVersion = 1;

    /// <summary>Makes or loads the patches of a source.</summary>
    /// <param name="source"><c>synthetic</c>, <c>images:DIR</c>, <c>brown:DIR/liberty</c> or <c>hpatches:DIR</c>.</param>
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
            "hpatches" when folder is not null => Label(HPatchesDataset.Open(folder).LoadForTraining(parts: options.Parts)),
            _ => throw new ArgumentException($"'{source}' is no training data; give {Forms}", nameof(source)),
        };

        SourceResult Make(ImageSource images)
        {
            options.Validate();
            string description = $"generator {GeneratorVersion}; {images.Identity}; points {points}; seed {seed}; {options}";
            return (cache ?? PatchCache.Default).GetOrBuild(description, () => images.Build(points, options, seed, progress, threads, cancellation));
        }
    }

    private static (string Kind, string? Folder) Split(string source)
    {
        int colon = source.IndexOf(':');
        return colon < 0 ? (source, null) : (source[..colon], source[(colon + 1)..] is { Length: > 0 } folder ? folder : null);
    }

    private static SourceResult Label(LabelledPatches labelled)
    {
        List<string> warnings = [];
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
