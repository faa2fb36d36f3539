using CudaL2Net.Imaging.Data;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>The three tasks of HPatches.</summary>
[Flags]
public enum HPatchesTask
{
    /// <summary>Tell pairs of patches that match from those that do not.</summary>
    Verification = 1,

    /// <summary>Find each reference patch in another image.</summary>
    Matching = 2,

    /// <summary>Find the five other images of a patch among thousands of patches.</summary>
    Retrieval = 4,

    /// <summary>All three.</summary>
    All = Verification | Matching | Retrieval,
}

/// <summary>What to evaluate on HPatches.</summary>
public sealed record HPatchesOptions
{
    /// <summary>a, b, c, illum, view or full.</summary>
    public string Split { get; init; } = "a";

    /// <summary>The tasks.</summary>
    public HPatchesTask Tasks { get; init; } = HPatchesTask.All;

    /// <summary>Matches, and negatives of each kind, of the verification task; fewer than the official number is quicker and no official result.</summary>
    public int Pairs { get; init; } = HPatchesTasks.OfficialPairs;

    /// <summary>Queries of the retrieval task, where they have to be drawn.</summary>
    public int Queries { get; init; } = HPatchesTasks.OfficialQueries;

    /// <summary>Distractors of the retrieval task, where they have to be drawn.</summary>
    public int Distractors { get; init; } = HPatchesTasks.OfficialDistractors;

    /// <summary>Bytes that descriptors of whole sequences may take in memory at once; what is beyond waits in a temporary file.</summary>
    internal long MemoryLimit { get; init; } = 450L << 20;
}
