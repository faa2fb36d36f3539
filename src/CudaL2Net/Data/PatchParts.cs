namespace CudaL2Net.Data;

/// <summary>What a loader keeps of each patch besides its 32 x 32 pixels. Each part needs patches cut at 64 x 64 or 65 x 65 pixels.</summary>
[Flags]
public enum PatchParts
{
    /// <summary>Nothing more.</summary>
    None = 0,

    /// <summary>The central 32 x 32 pixels at the original scale, <see cref="PatchSet.Centres"/>: 1 KB per patch more.</summary>
    Centres = 1,

    /// <summary>The whole patch at 64 x 64, <see cref="PatchSet.Large"/>: 4 KB per patch more.</summary>
    Large = 2,
}
