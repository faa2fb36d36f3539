namespace CudaL2Net.Data;

/// <summary>Grey patches of 32 x 32 bytes in host memory, each with the point of the scene it shows.</summary>
public sealed class PatchSet
{
    /// <summary>Rows and columns of a patch.</summary>
    public const int Side = 32;

    /// <summary>Bytes of a patch.</summary>
    public const int Area = Side * Side;

    /// <summary>Makes a set.</summary>
    /// <param name="pixels">[count][32][32].</param>
    /// <param name="pointIds">[count]: patches with the same id show the same point.</param>
    /// <param name="centres">[count][32][32], or null: the central part at the original scale (half of the side), for centre-surround networks.</param>
    /// <param name="pictureIds">[count], or null where unknown: the picture in which each patch's point was found.</param>
    /// <exception cref="ArgumentException">The sizes do not agree.</exception>
    public PatchSet(byte[] pixels, int[] pointIds, byte[]? centres = null, int[]? pictureIds = null)
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

        if (pictureIds is not null && pictureIds.Length != pointIds.Length)
        {
            throw new ArgumentException($"{pointIds.Length} patches need as many picture ids, not {pictureIds.Length}");
        }

        Pixels = pixels;
        PointIds = pointIds;
        Centres = centres;
        PictureIds = pictureIds;
    }

    /// <summary>[count][32][32].</summary>
    public byte[] Pixels { get; }

    /// <summary>[count]: the point of each patch.</summary>
    public int[] PointIds { get; }

    /// <summary>[count][32][32]: the central half of each patch's side at the original scale, or null.</summary>
    public byte[]? Centres { get; }

    /// <summary>[count], or null: the picture of each patch's point. Points of one picture follow one another.</summary>
    public int[]? PictureIds { get; }

    /// <summary>The number of patches.</summary>
    public int Count => PointIds.Length;

    /// <summary>The bytes of patch <paramref name="index"/>, row by row.</summary>
    public ReadOnlySpan<byte> this[int index] => Pixels.AsSpan(index * Area, Area);

    /// <summary>A set of the patches at the given places, in their order.</summary>
    public PatchSet Select(ReadOnlySpan<int> indices)
    {
        var pixels = new byte[indices.Length * Area];
        byte[]? centres = Centres == null ? null : new byte[indices.Length * Area];
        var ids = new int[indices.Length];
        int[]? pictures = PictureIds == null ? null : new int[indices.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            this[indices[i]].CopyTo(pixels.AsSpan(i * Area));
            Centres?.AsSpan(indices[i] * Area, Area).CopyTo(centres.AsSpan(i * Area));
            ids[i] = PointIds[indices[i]];
            if (pictures != null)
            {
                pictures[i] = PictureIds![indices[i]];
            }
        }

        return new PatchSet(pixels, ids, centres, pictures);
    }
}
