namespace CudaL2Net.Data;

/// <summary>Gathers patches of 64 or 65 pixels per side, reduced to 32 x 32, into a set.</summary>
/// <param name="parts">What is kept besides the reduced patches.</param>
internal sealed class PatchSetBuilder(PatchParts parts) : IDisposable
{
    private readonly RowBlocks pixels = new(PatchSet.Area);
    private readonly RowBlocks? centres = parts.HasFlag(PatchParts.Centres) ? new RowBlocks(PatchSet.Area) : null;
    private readonly RowBlocks? large = parts.HasFlag(PatchParts.Large) ? new RowBlocks(PatchSet.LargeArea) : null;
    private readonly List<int> pointIds = [];

    /// <summary>Patches skipped so far.</summary>
    public int NearUniform { get; private set; }

    /// <summary>Patches that fit into one set: each part is one array.</summary>
    public static int MaxCount(PatchParts parts) => Array.MaxLength / (parts.HasFlag(PatchParts.Large) ? PatchSet.LargeArea : PatchSet.Area);

    /// <summary>Adds a patch; up to <see cref="MaxCount"/> in all.</summary>
    /// <param name="patch">[side][side].</param>
    /// <param name="side">64 or 65; 32, too, where no further parts are kept.</param>
    /// <param name="pointId">Its point.</param>
    /// <param name="skipNearUniform">Whether a near-uniform patch is counted instead.</param>
    public void Add(ReadOnlySpan<byte> patch, int side, int pointId, bool skipNearUniform)
    {
        int row = pointIds.Count;
        Span<byte> reduced = pixels[row];
        PatchResize.Reduce(patch, side, reduced);
        if (skipNearUniform && PatchContrast.IsNearUniform(reduced))
        {
            NearUniform++;
            return;
        }

        if (centres is not null)
        {
            PatchResize.CropCentre(patch, side, centres[row]);
        }

        if (large is not null)
        {
            PatchResize.ToLarge(patch, side, large[row]);
        }

        pointIds.Add(pointId);
    }

    /// <summary>The set of what was added; the builder must not be used afterwards.</summary>
    public PatchSet Build() => new(
        pixels.MoveToArray(pointIds.Count), [.. pointIds], centres?.MoveToArray(pointIds.Count), null, large?.MoveToArray(pointIds.Count));

    /// <inheritdoc/>
    public void Dispose()
    {
        pixels.Dispose();
        centres?.Dispose();
        large?.Dispose();
    }
}
