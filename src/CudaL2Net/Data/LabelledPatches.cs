namespace CudaL2Net.Data;

/// <summary>Patches loaded for training, and what was left out.</summary>
/// <param name="Patches">The patches.</param>
/// <param name="NearUniform">Patches skipped since they show next to nothing (<see cref="PatchContrast"/>).</param>
/// <param name="Thinned">Patches left out since all of them do not fit into one set.</param>
public sealed record LabelledPatches(PatchSet Patches, int NearUniform, int Thinned);
