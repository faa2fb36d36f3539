using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>Cuts square patches around keypoints, turned by their orientation and reduced or enlarged to one size.</summary>
public static class PatchCutter
{
    /// <summary>The most patches that <see cref="CutBlocks"/> gives at once.</summary>
    public const int BlockPatches = 4096;

    /// <summary>
    /// Cuts one patch per keypoint. Its side in the image is <paramref name="patchScale"/> x the keypoint's size, its x axis points along the
    /// keypoint's angle, and the keypoint is at ((side - 1) / 2, (side - 1) / 2), the middle of the patch with pixel centres at integers.
    /// </summary>
    /// <remarks>Reduced patches are sampled from a Gaussian pyramid, so fine texture does not alias. Outside the image its border goes on. A keypoint with an affine
    /// shape gives an affine patch: the parallelogram to which <paramref name="patchScale"/> x its shape takes the square from (-1, -1) to (1, 1).</remarks>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="keypoints">n keypoints.</param>
    /// <param name="patchScale">Side of the patch in the image divided by the keypoint's size; above 0.</param>
    /// <param name="side">Side of the patch in its own pixels, 1 to 128; L2-Net takes 32, its centre-surround form 64.</param>
    /// <param name="patches">[n][side][side], overwritten.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one, a keypoint has no finite position or positive size, or sizes do not
    /// agree.</exception>
    public static void Cut(Mat grey, ReadOnlySpan<Keypoint> keypoints, double patchScale, int side, Span<byte> patches, int threads = 0)
    {
        CheckGrey(grey);
        Check(keypoints, patchScale, side);
        if (patches.Length != (long)keypoints.Length * side * side)
        {
            throw new ArgumentException(
                $"{keypoints.Length} patches of {side} x {side} need {(long)keypoints.Length * side * side} bytes, not {patches.Length}", nameof(patches));
        }

        if (!keypoints.IsEmpty)
        {
            Cut(Pyramid(grey, keypoints, patchScale, side), keypoints, patchScale, side, patches, threads);
        }
    }

    /// <summary>Cuts the patches of any number of keypoints some at a time, so that not all of them are in memory.</summary>
    /// <returns>Blocks of up to <see cref="BlockPatches"/> patches in the keypoints' order, [n][side][side].</returns>
    /// <inheritdoc cref="Cut(Mat, ReadOnlySpan{Keypoint}, double, int, Span{byte}, int)"/>
    public static IEnumerable<byte[]> CutBlocks(Mat grey, Keypoint[] keypoints, double patchScale, int side, int threads = 0)
    {
        CheckGrey(grey);
        Check(keypoints, patchScale, side);
        return Blocks();

        IEnumerable<byte[]> Blocks()
        {
            var pyramid = Pyramid(grey, keypoints, patchScale, side);
            for (int first = 0; first < keypoints.Length; first += BlockPatches)
            {
                int count = Math.Min(BlockPatches, keypoints.Length - first);
                byte[] patches = new byte[count * side * side];
                Cut(pyramid, keypoints.AsSpan(first, count), patchScale, side, patches, threads);
                yield return patches;
            }
        }
    }

    private static unsafe void Cut(ImagePyramid pyramid, ReadOnlySpan<Keypoint> keypoints, double patchScale, int side, Span<byte> patches, int threads)
    {
        fixed (Keypoint* first = keypoints)
        fixed (byte* target = patches)
        {
            nint keypointAddress = (nint)first, patchAddress = (nint)target;
            new Parallelism(threads).For(keypoints.Length, i =>
            {
                ref Keypoint keypoint = ref ((Keypoint*)keypointAddress)[i];
                byte* patch = (byte*)patchAddress + ((long)i * side * side);
                if (keypoint.IsAffine)
                {
                    pyramid.Cut(keypoint.Shape.Grid(keypoint.X, keypoint.Y, patchScale, side), side, patch);
                }
                else
                {
                    pyramid.Cut(keypoint.X, keypoint.Y, keypoint.Angle, Step(keypoint, patchScale, side), side, patch);
                }
            });
        }
    }

    /// <summary>Cuts one patch per keypoint into a new array of [n][side][side] bytes.</summary>
    /// <inheritdoc cref="Cut(Mat, ReadOnlySpan{Keypoint}, double, int, Span{byte}, int)"/>
    public static byte[] Cut(Mat grey, ReadOnlySpan<Keypoint> keypoints, double patchScale, int side, int threads = 0)
    {
        Check(keypoints, patchScale, side);
        byte[] patches = new byte[(long)keypoints.Length * side * side];
        Cut(grey, keypoints, patchScale, side, patches, threads);
        return patches;
    }

    /// <summary>The largest distance of two neighbouring samples in the image, in pixels.</summary>
    internal static double Step(in Keypoint keypoint, double patchScale, int side) => keypoint.IsAffine
        ? keypoint.Shape.Grid(keypoint.X, keypoint.Y, patchScale, side).Steps().Widest
        : keypoint.Size * patchScale / side;

    /// <summary>The image at all sizes that these patches look at.</summary>
    internal static ImagePyramid Pyramid(Mat grey, ReadOnlySpan<Keypoint> keypoints, double patchScale, int side)
    {
        double widest = 1;
        foreach (Keypoint keypoint in keypoints)
        {
            widest = Math.Max(widest, Step(keypoint, patchScale, side));
        }

        return Pyramid(grey, widest);
    }

    /// <summary>The image at all sizes that samples at up to <paramref name="widest"/> pixels' distance look at.</summary>
    internal static ImagePyramid Pyramid(Mat grey, double widest)
    {
        int width = grey.Width, height = grey.Height;
        byte[] pixels = new byte[width * height];
        for (int y = 0; y < height; y++)
        {
            Marshal.Copy(grey.Ptr(y), pixels, y * width, width);
        }

        return new ImagePyramid(pixels, width, height, ImagePyramid.HighestLevel(widest));
    }

    internal static void CheckGrey(Mat grey)
    {
        ArgumentNullException.ThrowIfNull(grey);
        if (grey.Empty() || grey.Type() != MatType.CV_8UC1)
        {
            throw new ArgumentException($"a grey image of 8 bits is needed, not {(grey.Empty() ? "an empty one" : grey.Type().ToString())}", nameof(grey));
        }
    }

    private static void Check(ReadOnlySpan<Keypoint> keypoints, double patchScale, int side)
    {
        if (side is < 1 or > ImagePatches.LargestSide)
        {
            throw new ArgumentException($"the side of a patch must be 1 to {ImagePatches.LargestSide}, not {side}", nameof(side));
        }

        if (!(patchScale > 0) || !double.IsFinite(patchScale))
        {
            throw new ArgumentException($"the patch scale must be above 0, not {patchScale}", nameof(patchScale));
        }

        for (int i = 0; i < keypoints.Length; i++)
        {
            Keypoint k = keypoints[i];
            if (!float.IsFinite(k.X) || !float.IsFinite(k.Y) || !float.IsFinite(k.Angle) || !float.IsFinite(k.Size) || k.Size <= 0 || (k.IsAffine && !k.Shape.IsValid))
            {
                throw new ArgumentException($"keypoint {i} has no finite position and angle, positive size and shape with an area: {k}", nameof(keypoints));
            }
        }
    }
}
