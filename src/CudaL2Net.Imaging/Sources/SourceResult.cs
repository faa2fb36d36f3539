using System.Text.Json.Serialization;
using CudaL2Net.Data;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Training patches and how they came about.</summary>
/// <param name="Patches">The patches, points and images in ascending order.</param>
/// <param name="Report">What was used and what was skipped.</param>
public sealed record SourceResult(PatchSet Patches, SourceReport Report);

/// <summary>What a source used and skipped.</summary>
public sealed record SourceReport
{
    /// <summary>The points of the set.</summary>
    public int Points { get; init; }

    /// <summary>Images that points were taken from; an image counts each time it was gone through.</summary>
    public int Images { get; init; }

    /// <summary>Files that could not be read as images.</summary>
    public int DamagedPictures { get; init; }

    /// <summary>Points skipped because a patch was near-uniform; of labelled sets the patches skipped.</summary>
    public long FlatPoints { get; init; }

    /// <summary>Points skipped because no copy showed them.</summary>
    public long LostPoints { get; init; }

    /// <summary>Patches of copies whose keypoint the detector found again.</summary>
    public long DetectedPatches { get; init; }

    /// <summary>Whether the patches came from the cache.</summary>
    public bool FromCache { get; init; }

    /// <summary>Sentences for the user: damaged images by name, fewer points than asked for, which split was taken, a cache that could not be used.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The files that were read for the patches, by name, with the SHA-256 of their bytes. Whether kept patches are still right is told by them.</summary>
    [JsonInclude]
    internal IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();
}
