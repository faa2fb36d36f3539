namespace CudaL2Net.Data;

/// <summary>Grey patches of 32 x 32 bytes in host memory, each with the point of the scene it shows; optionally larger forms of the same patches.</summary>
public sealed class PatchSet
{
    /// <summary>Rows and columns of a patch.</summary>
    public const int Side = 32;

    /// <summary>Bytes of a patch.</summary>
    public const int Area = Side * Side;

    /// <summary>Rows and columns of a large patch.</summary>
    public const int LargeSide = 64;

    /// <summary>Bytes of a large patch.</summary>
    public const int LargeArea = LargeSide * LargeSide;

    /// <summary>Makes a set.</summary>
    /// <param name="pixels">[count][32][32].</param>
    /// <param name="pointIds">[count]: patches with the same id show the same point.</param>
    /// <param name="centres">[count][32][32], or null: the central part at the original scale (half of the side), for centre-surround networks.</param>
    /// <param name="imageIds">[count], or null where unknown: the image in which each patch's point was found.</param>
    /// <param name="large">[count][64][64], or null: the whole patches with twice the pixels per side, for networks that take 64 x 64.</param>
    /// <exception cref="ArgumentException">The sizes do not agree.</exception>
    public PatchSet(byte[] pixels, int[] pointIds, byte[]? centres = null, int[]? imageIds = null, byte[]? large = null)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ArgumentNullException.ThrowIfNull(pointIds);
        if (pixels.LongLength != (long)pointIds.Length * Area)
        {
            throw new ArgumentException($"{pointIds.Length} patches need {(long)pointIds.Length * Area} bytes of pixels, not {pixels.LongLength}");
        }

        if (centres is not null && centres.Length != pixels.Length)
        {
            throw new ArgumentException($"{pointIds.Length} patches need {pixels.Length} bytes of centres, not {centres.Length}");
        }

        if (imageIds is not null && imageIds.Length != pointIds.Length)
        {
            throw new ArgumentException($"{pointIds.Length} patches need as many image ids, not {imageIds.Length}");
        }

        if (large is not null && large.LongLength != (long)pointIds.Length * LargeArea)
        {
            throw new ArgumentException($"{pointIds.Length} patches need {(long)pointIds.Length * LargeArea} bytes of large patches, not {large.LongLength}");
        }

        Pixels = pixels;
        PointIds = pointIds;
        Centres = centres;
        ImageIds = imageIds;
        Large = large;
    }

    /// <summary>A set of patches of any side that is taken, with the point that each shows.</summary>
    /// <param name="patches">[count][side][side] grey values.</param>
    /// <param name="side">32, 64 or 65 pixels.</param>
    /// <param name="pointIds">[count]: patches with the same id show the same point.</param>
    /// <param name="parts">What is kept besides the patches at 32 x 32: <see cref="Networks.Network.Parts"/> of the network that is trained. Needs a side of 64 or 65.</param>
    /// <exception cref="ArgumentException">The side is not taken, or the sizes do not agree.</exception>
    public static PatchSet From(ReadOnlySpan<byte> patches, int side, ReadOnlySpan<int> pointIds, PatchParts parts = PatchParts.None)
    {
        if (!PatchResize.Supports(side) || (side < LargeSide && parts != PatchParts.None))
        {
            throw new ArgumentException($"patches of {side} x {side} pixels: expected {(parts == PatchParts.None ? "32 x 32, " : "")}64 x 64 or 65 x 65", nameof(side));
        }

        int area = side * side;
        if (patches.Length != (long)pointIds.Length * area || pointIds.Length > PatchSetBuilder.MaxCount(parts))
        {
            throw new ArgumentException(
                $"{pointIds.Length} patches of {side} x {side} pixels have {(long)pointIds.Length * area} bytes, not {patches.Length}; at most "
                    + $"{PatchSetBuilder.MaxCount(parts)} patches make a set");
        }

        using var builder = new PatchSetBuilder(parts);
        for (int i = 0; i < pointIds.Length; i++)
        {
            builder.Add(patches.Slice(i * area, area), side, pointIds[i], skipNearUniform: false);
        }

        return builder.Build();
    }

    /// <summary>A set of patches of which it is known which match. Patches that match, directly or by way of others, show one point.</summary>
    /// <param name="patches">[count][side][side] grey values.</param>
    /// <param name="side">32, 64 or 65 pixels.</param>
    /// <param name="matches">Places of two patches that show the same point; the rest match none.</param>
    /// <param name="parts">What is kept besides the patches at 32 x 32. Needs a side of 64 or 65.</param>
    /// <exception cref="ArgumentException">The side is not taken, the bytes are no whole number of patches, or a pair names a patch that is not there.</exception>
    public static PatchSet From(ReadOnlySpan<byte> patches, int side, ReadOnlySpan<(int First, int Second)> matches, PatchParts parts = PatchParts.None)
    {
        var ids = new int[side < 1 ? 0 : patches.Length / (side * side)];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = i;
        }

        foreach ((int first, int second) in matches)
        {
            if ((uint)first >= ids.Length || (uint)second >= ids.Length)
            {
                throw new ArgumentException($"a match of the patches {first} and {second}: there are {ids.Length}, from 0 on", nameof(matches));
            }

            int a = Root(first), b = Root(second);
            ids[Math.Max(a, b)] = Math.Min(a, b);
        }

        // A root comes before what points to it.
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = ids[ids[i]];
        }

        return From(patches, side, ids, parts);

        int Root(int i)
        {
            while (ids[i] != i)
            {
                ids[i] = ids[ids[i]];
                i = ids[i];
            }

            return i;
        }
    }

    /// <summary>[count][32][32].</summary>
    public byte[] Pixels { get; }

    /// <summary>[count]: the point of each patch.</summary>
    public int[] PointIds { get; }

    /// <summary>[count][32][32]: the central half of each patch's side at the original scale, or null.</summary>
    public byte[]? Centres { get; }

    /// <summary>[count][64][64]: the whole patches with twice the pixels per side, or null.</summary>
    public byte[]? Large { get; }

    /// <summary>[count], or null: the image of each patch's point. Points of one image follow one another.</summary>
    public int[]? ImageIds { get; }

    /// <summary>The number of patches.</summary>
    public int Count => PointIds.Length;

    /// <summary>The bytes of patch <paramref name="index"/>, row by row.</summary>
    public ReadOnlySpan<byte> this[int index] => Pixels.AsSpan(index * Area, Area);

    /// <summary>What a tower sees of all patches. The arrays are the set's own, not copies.</summary>
    /// <param name="view">The view.</param>
    /// <param name="side">The network's input side: 32 or 64.</param>
    /// <returns>
    /// For side 32 and the whole patch <see cref="Pixels"/>, [count][32][32]. For side 64 the whole patch is <see cref="Large"/>, [count][64][64]; reduced it is
    /// <see cref="Pixels"/>; its centre is <see cref="Centres"/>.
    /// </returns>
    /// <exception cref="ArgumentException">The set lacks that part, or no network of that side has such a view.</exception>
    public byte[] View(PatchView view, int side) => (view, side) switch
    {
        (PatchView.Whole, Side) => Pixels,
        (PatchView.Reduced, LargeSide) => Pixels,
        (PatchView.Centre, LargeSide) => Centres ?? throw Lacks("their centres"),
        (PatchView.Whole, LargeSide) => Large ?? throw Lacks("all their pixels"),
        (not (PatchView.Whole or PatchView.Reduced or PatchView.Centre), _) => throw new ArgumentException(
            $"there is no view '{view}' of a patch; there are Whole, Reduced and Centre", nameof(view)),
        (_, Side) => throw new ArgumentException(
            $"a network with input side 32 sees whole patches only, not the view '{view}'; views of half the side need input side 64", nameof(view)),
        _ => throw new ArgumentException($"the input side of a network must be 32 or 64, not {side}", nameof(side)),
    };

    /// <summary>A set of the patches at the given places, in their order.</summary>
    public PatchSet Select(ReadOnlySpan<int> indices)
    {
        var pixels = new byte[indices.Length * Area];
        byte[]? centres = Centres == null ? null : new byte[indices.Length * Area];
        byte[]? large = Large == null ? null : new byte[indices.Length * LargeArea];
        var ids = new int[indices.Length];
        int[]? images = ImageIds == null ? null : new int[indices.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            this[indices[i]].CopyTo(pixels.AsSpan(i * Area));
            Centres?.AsSpan(indices[i] * Area, Area).CopyTo(centres.AsSpan(i * Area));
            Large?.AsSpan(indices[i] * LargeArea, LargeArea).CopyTo(large.AsSpan(i * LargeArea));
            ids[i] = PointIds[indices[i]];
            if (images != null)
            {
                images[i] = ImageIds![indices[i]];
            }
        }

        return new PatchSet(pixels, ids, centres, images, large);
    }

    private static ArgumentException Lacks(string what) =>
        new($"the network takes patches of 64 x 64 pixels and needs {what}: give it data cut at 64 x 64 pixels or more");
}
