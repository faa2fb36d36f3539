namespace CudaL2Net.Data;

/// <summary>Gathers patches of 64 or 65 pixels per side, reduced to 32 x 32, into a set.</summary>
internal sealed class PatchSetBuilder
{
    private readonly byte[] pixels;
    private readonly int[] pointIds;
    private readonly byte[]? centres, large;
    private int count;

    /// <summary>Makes an empty set.</summary>
    /// <param name="capacity">The most patches that will be added, up to <see cref="MaxCount"/>.</param>
    /// <param name="parts">What is kept besides the reduced patches.</param>
    public PatchSetBuilder(int capacity, PatchParts parts)
    {
        pixels = new byte[capacity * PatchSet.Area];
        pointIds = new int[capacity];
        centres = parts.HasFlag(PatchParts.Centres) ? new byte[capacity * PatchSet.Area] : null;
        large = parts.HasFlag(PatchParts.Large) ? new byte[capacity * PatchSet.LargeArea] : null;
    }

    /// <summary>Patches skipped so far.</summary>
    public int NearUniform { get; private set; }

    /// <summary>Patches that fit into one set: each part is one array.</summary>
    public static int MaxCount(PatchParts parts) => Array.MaxLength / (parts.HasFlag(PatchParts.Large) ? PatchSet.LargeArea : PatchSet.Area);

    /// <summary>Adds a patch.</summary>
    /// <param name="patch">[side][side].</param>
    /// <param name="side">64 or 65; 32, too, where no further parts are kept.</param>
    /// <param name="pointId">Its point.</param>
    /// <param name="skipNearUniform">Whether a near-uniform patch is counted instead.</param>
    public void Add(ReadOnlySpan<byte> patch, int side, int pointId, bool skipNearUniform)
    {
        Span<byte> reduced = pixels.AsSpan(count * PatchSet.Area, PatchSet.Area);
        PatchResize.Reduce(patch, side, reduced);
        if (skipNearUniform && PatchContrast.IsNearUniform(reduced))
        {
            NearUniform++;
            return;
        }

        if (centres is not null)
        {
            PatchResize.CropCentre(patch, side, centres.AsSpan(count * PatchSet.Area, PatchSet.Area));
        }

        if (large is not null)
        {
            PatchResize.ToLarge(patch, side, large.AsSpan(count * PatchSet.LargeArea, PatchSet.LargeArea));
        }

        pointIds[count++] = pointId;
    }

    /// <summary>The set of what was added.</summary>
    public PatchSet Build() => count == pointIds.Length
        ? new PatchSet(pixels, pointIds, centres, null, large)
        : new PatchSet(
            pixels[..(count * PatchSet.Area)], pointIds[..count], centres?[..(count * PatchSet.Area)], null, large?[..(count * PatchSet.LargeArea)]);
}
