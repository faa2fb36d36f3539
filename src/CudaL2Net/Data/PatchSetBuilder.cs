namespace CudaL2Net.Data;

/// <summary>Gathers patches of 64 or 65 pixels a side, reduced to 32 x 32, into a set.</summary>
internal sealed class PatchSetBuilder
{
    /// <summary>Patches that fit into one array.</summary>
    public static readonly int MaxCount = Array.MaxLength / PatchSet.Area;

    private readonly byte[] pixels;
    private readonly int[] pointIds;
    private readonly byte[]? centres;
    private int count;

    /// <summary>Makes an empty set.</summary>
    /// <param name="capacity">The most patches that will be added, up to <see cref="MaxCount"/>.</param>
    /// <param name="centres">Whether the central crops are kept too.</param>
    public PatchSetBuilder(int capacity, bool centres)
    {
        pixels = new byte[capacity * PatchSet.Area];
        pointIds = new int[capacity];
        this.centres = centres ? new byte[capacity * PatchSet.Area] : null;
    }

    /// <summary>Patches skipped so far.</summary>
    public int NearUniform { get; private set; }

    /// <summary>Adds a patch.</summary>
    /// <param name="patch">[side][side].</param>
    /// <param name="side">32, 64 or 65.</param>
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

        pointIds[count++] = pointId;
    }

    /// <summary>The set of what was added.</summary>
    public PatchSet Build() => count == pointIds.Length
        ? new PatchSet(pixels, pointIds, centres)
        : new PatchSet(pixels[..(count * PatchSet.Area)], pointIds[..count], centres?[..(count * PatchSet.Area)]);
}
