using CudaL2Net.Numerics;

namespace CudaL2Net.Data;

/// <summary>Cuts patches out of images in memory, as networks take them. Nothing but this library is needed.</summary>
/// <remarks>
/// Reduced patches are sampled from a Gaussian pyramid, so fine texture does not alias. Outside the image its border goes on. The results do not depend on the
/// number of threads.
/// </remarks>
public static unsafe class ImagePatches
{
    /// <summary>The longest side of a patch in its own pixels.</summary>
    public const int LargestSide = 128;

    private const double LargestReach = 1e9;

    /// <summary>Cuts one square patch per keypoint.</summary>
    /// <remarks>
    /// The side in the image is <paramref name="patchScale"/> x the keypoint's size, the x axis points along the angle, and the keypoint is in the middle of the
    /// patch, at ((side - 1) / 2, (side - 1) / 2) with pixel centres at integers.
    /// </remarks>
    /// <param name="image">Grey or RGB.</param>
    /// <param name="keypoints">n keypoints.</param>
    /// <param name="patchScale">Side of the patch in the image divided by the keypoint's size; above 0. A model says its own (PatchModel.PatchScale).</param>
    /// <param name="side">Side of the patch in its own pixels, 1 to 128.</param>
    /// <param name="patches">[n][side][side], overwritten.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">A keypoint is not finite, lies outside of the image, or has no size above 0: the message has its index. Or a number
    /// is out of range, or the array of patches has another length.</exception>
    public static void Cut(
        ImageView image, ReadOnlySpan<PatchKeypoint> keypoints, double patchScale, int side, Span<byte> patches, int threads = 0)
    {
        Check(keypoints.Length, side, patches.Length);
        if (!(patchScale > 0) || !double.IsFinite(patchScale))
        {
            throw new ArgumentException($"the patch scale must be above 0, not {patchScale}", nameof(patchScale));
        }

        double widest = 1;
        for (int i = 0; i < keypoints.Length; i++)
        {
            PatchKeypoint k = keypoints[i];
            CheckPlace(image, k.X, k.Y, i, "keypoint", nameof(keypoints));
            double reach = k.Size * patchScale;
            if (!float.IsFinite(k.Angle) || !(k.Size > 0) || !(reach <= LargestReach))
            {
                throw new ArgumentException(
                    $"keypoint {i} needs a finite angle and a size above 0, with a patch of at most {LargestReach:0} pixels: {k}", nameof(keypoints));
            }

            widest = Math.Max(widest, reach / side);
        }

        PatchKeypoint[] all = keypoints.ToArray();
        Cut(image, widest, all.Length, side, patches, threads, (pyramid, i, patch) =>
        {
            PatchKeypoint k = all[i];
            pyramid.Cut(k.X, k.Y, k.Angle, k.Size * patchScale / side, side, patch);
        });
    }

    /// <summary>Cuts one square patch per keypoint into a new array of [n][side][side] bytes.</summary>
    /// <inheritdoc cref="Cut(ImageView, ReadOnlySpan{PatchKeypoint}, double, int, Span{byte}, int)"/>
    public static byte[] Cut(ImageView image, ReadOnlySpan<PatchKeypoint> keypoints, double patchScale, int side, int threads = 0)
    {
        byte[] patches = new byte[Bytes(keypoints.Length, side)];
        Cut(image, keypoints, patchScale, side, patches, threads);
        return patches;
    }

    /// <summary>Cuts one patch per affine frame.</summary>
    /// <remarks>
    /// Where a frame is longer in one direction, each pixel is the mean of several samples along it, at most 16. Mirrored frames give mirrored patches.
    /// </remarks>
    /// <param name="image">Grey or RGB.</param>
    /// <param name="frames">n frames.</param>
    /// <param name="side">Side of the patch in its own pixels, 1 to 128.</param>
    /// <param name="patches">[n][side][side], overwritten.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">A frame is not finite, lies outside of the image, or has no area: the message has its index. Or a number is out of
    /// range, or the array of patches has another length.</exception>
    public static void Cut(ImageView image, ReadOnlySpan<AffineFrame> frames, int side, Span<byte> patches, int threads = 0)
    {
        Check(frames.Length, side, patches.Length);
        double widest = 1;
        var grids = new SampleGrid[frames.Length];
        for (int i = 0; i < frames.Length; i++)
        {
            AffineFrame f = frames[i];
            CheckPlace(image, f.X, f.Y, i, "frame", nameof(frames));
            (double step, double narrowest, _, _) = (grids[i] = f.Grid(side)).Steps();
            if (!(narrowest > 0) || !(step * side <= LargestReach))
            {
                throw new ArgumentException($"frame {i} needs an area above 0 and at most {LargestReach:0} pixels in any direction: {f}", nameof(frames));
            }

            widest = Math.Max(widest, step);
        }

        Cut(image, widest, grids.Length, side, patches, threads, (pyramid, i, patch) => pyramid.Cut(grids[i], side, patch));
    }

    /// <summary>Cuts one patch per affine frame into a new array of [n][side][side] bytes.</summary>
    /// <inheritdoc cref="Cut(ImageView, ReadOnlySpan{AffineFrame}, int, Span{byte}, int)"/>
    public static byte[] Cut(ImageView image, ReadOnlySpan<AffineFrame> frames, int side, int threads = 0)
    {
        byte[] patches = new byte[Bytes(frames.Length, side)];
        Cut(image, frames, side, patches, threads);
        return patches;
    }

    private static void Cut(ImageView image, double widest, int count, int side, Span<byte> patches, int threads, CutOne cut)
    {
        var parallelism = new Parallelism(threads);
        byte[] grey = image.ToGrey();
        if (count == 0)
        {
            return;
        }

        var pyramid = new ImagePyramid(grey, image.Width, image.Height, ImagePyramid.HighestLevel(widest));
        fixed (byte* target = patches)
        {
            nint address = (nint)target;
            parallelism.For(count, i => cut(pyramid, i, (byte*)address + ((long)i * side * side)));
        }
    }

    private static long Bytes(int count, int side) => side is >= 1 and <= LargestSide
        ? (long)count * side * side
        : throw new ArgumentException($"the side of a patch must be 1 to {LargestSide}, not {side}", nameof(side));

    private static void Check(int count, int side, int length)
    {
        if (Bytes(count, side) != length)
        {
            throw new ArgumentException($"{count} patches of {side} x {side} need {Bytes(count, side)} bytes, not {length}", "patches");
        }
    }

    // A pixel's square is half a pixel wider than its centre on each side.
    private static void CheckPlace(ImageView image, float x, float y, int index, string kind, string argument)
    {
        if (!(x >= -0.5f && x <= image.Width - 0.5f && y >= -0.5f && y <= image.Height - 0.5f))
        {
            throw new ArgumentException($"{kind} {index} at ({x}, {y}) is not in the image of {image.Width} x {image.Height} pixels", argument);
        }
    }

    private delegate void CutOne(ImagePyramid pyramid, int index, byte* patch);
}
