using CudaL2Net.Data;

namespace CudaL2Net.Networks;

/// <summary>An image of a stream, and where its patches lie. Nothing is copied: pixels and places must not change until the image's descriptors have come.</summary>
public sealed class ImageToDescribe
{
    private readonly ReadOnlyMemory<PatchKeypoint> keypoints;
    private readonly ReadOnlyMemory<AffineFrame> frames;

    /// <summary>An image with a square patch per keypoint.</summary>
    /// <param name="pixels">[height] rows of <paramref name="stride"/> bytes; see <see cref="ImageView"/>.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="keypoints">Where the patches lie, in pixels and degrees. There may be none.</param>
    /// <param name="stride">Bytes from one row to the next; 0 is exactly a row.</param>
    /// <param name="channels">1 is grey; 3 is red, green, blue, interleaved.</param>
    /// <exception cref="ArgumentException">The numbers are out of range, or the pixels are too few for them.</exception>
    public ImageToDescribe(
        ReadOnlyMemory<byte> pixels, int width, int height, ReadOnlyMemory<PatchKeypoint> keypoints, int stride = 0, int channels = 1)
        : this(pixels, width, height, stride, channels) => this.keypoints = keypoints;

    /// <summary>An image with a patch per affine frame.</summary>
    /// <param name="pixels">[height] rows of <paramref name="stride"/> bytes; see <see cref="ImageView"/>.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="frames">Where the patches lie. There may be none.</param>
    /// <param name="stride">Bytes from one row to the next; 0 is exactly a row.</param>
    /// <param name="channels">1 is grey; 3 is red, green, blue, interleaved.</param>
    /// <exception cref="ArgumentException">The numbers are out of range, or the pixels are too few for them.</exception>
    public ImageToDescribe(ReadOnlyMemory<byte> pixels, int width, int height, ReadOnlyMemory<AffineFrame> frames, int stride = 0, int channels = 1)
        : this(pixels, width, height, stride, channels) => this.frames = frames;

    private ImageToDescribe(ReadOnlyMemory<byte> pixels, int width, int height, int stride, int channels)
    {
        (Pixels, Width, Height, Stride, Channels) = (pixels, width, height, stride, channels);
        _ = View;
    }

    /// <summary>The pixels as they were given.</summary>
    public ReadOnlyMemory<byte> Pixels { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes from one row to the next; 0 is exactly a row.</summary>
    public int Stride { get; }

    /// <summary>1 (grey) or 3 (red, green, blue).</summary>
    public int Channels { get; }

    /// <summary>Patches.</summary>
    public int Count => keypoints.Length + frames.Length;

    private ImageView View => new(Pixels.Span, Width, Height, Stride, Channels);

    /// <summary>The patches, in the caller's thread.</summary>
    /// <exception cref="ArgumentException">A keypoint or frame is not finite, lies outside of the image, or has no area.</exception>
    internal byte[] Cut(double patchScale, int side) => frames.IsEmpty
        ? ImagePatches.Cut(View, keypoints.Span, patchScale, side, threads: 1)
        : ImagePatches.Cut(View, frames.Span, side, threads: 1);
}
