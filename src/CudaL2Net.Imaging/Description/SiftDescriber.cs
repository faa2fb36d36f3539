using CudaL2Net.Data;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;
using OpenCvSharp;
using OpenCvSharp.Features2D;

namespace CudaL2Net.Imaging.Description;

/// <summary>
/// OpenCV's SIFT descriptor (Lowe, IJCV 2004): 128 values, each a whole number from 0 to 255. Keypoints are described in the image; a patch by an upright
/// keypoint at its centre, whose 4 x 4 cells of 3 sigma each cover the patch: its diameter is a sixth of the side.
/// </summary>
/// <param name="threads">The most threads that describe patches at once; 0 is one per core.</param>
public class SiftDescriber(int threads = 0) : IKeypointDescriber, IPatchDescriber
{
    private const int LayersPerOctave = 3;
    private const double FirstSigma = 1.6;

    /// <inheritdoc/>
    public virtual string Name => "SIFT";

    /// <inheritdoc/>
    public int Dimension => 128;

    /// <inheritdoc/>
    public bool IsBinary => false;

    /// <inheritdoc/>
    public int PatchSide => 65;

    /// <inheritdoc/>
    public double PatchScale => CutPatchDescriber.UsualPatchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side)
    {
        if (!PatchResize.Supports(side) || patches.Length % (side * side) != 0)
        {
            throw new ArgumentException($"{patches.Length} bytes are no whole number of patches of 32 x 32, 64 x 64 or 65 x 65 pixels (the side is {side})");
        }

        byte[] pixels = patches.ToArray();
        int area = side * side, count = pixels.Length / area;
        var values = new float[count * Dimension];
        float centre = (side - 1) / 2f;
        Keypoint[] keypoint = [new(centre, centre, (float)(side / CutPatchDescriber.UsualPatchScale), 0, 0, 0)];
        new Parallelism(threads).For(count, i =>
        {
            using Mat patch = Mat.FromPixelData(side, side, MatType.CV_8UC1, pixels.AsSpan(i * area, area).ToArray());
            Describe(patch, keypoint).Values!.CopyTo(values, i * Dimension);
        });
        return DescriptorSet.FromValues(values, Dimension);
    }

    /// <inheritdoc/>
    public virtual DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
    {
        ArgumentNullException.ThrowIfNull(keypoints);
        PatchCutter.CheckGrey(grey);
        if (Array.Exists(keypoints, k => k.IsAffine))
        {
            throw new ArgumentException("SIFT looks at discs of the image: cut patches of affine keypoints and describe these", nameof(keypoints));
        }

        if (keypoints.Length == 0)
        {
            return DescriptorSet.FromValues([], Dimension);
        }

        KeyPoint[] points = Array.ConvertAll(keypoints, k => new KeyPoint(k.X, k.Y, k.Size, k.Angle, k.Response, PackedOctave(k.Size)));
        using SIFT sift = SIFT.Create();
        using var described = new Mat();
        try
        {
            sift.Compute(grey, ref points, described);
        }
        catch (Exception exception) when (exception is OpenCVException or OpenCvSharpException)
        {
            throw new InvalidOperationException($"OpenCV could not describe {keypoints.Length} keypoints: {exception.Message}", exception);
        }

        if (described.Rows != keypoints.Length || !described.GetArray(out float[] values))
        {
            throw new InvalidOperationException($"OpenCV described {described.Rows} of {keypoints.Length} keypoints");
        }

        return DescriptorSet.FromValues(values, Dimension);
    }

    // OpenCV takes the image to sample from the keypoint's packed octave and layer. Both follow from the size, which is
    // 2 sigma 2^(octave + (layer + x) / 3) with layer 1 to 3 and |x| at most 1/2, the first octave -1 being the doubled image.
    private static int PackedOctave(float size)
    {
        double doubled = Math.Log2(2 * Math.Max(size, FirstSigma) / (2 * FirstSigma));
        int step = Math.Max(1, (int)Math.Round(LayersPerOctave * doubled));
        int layer = ((step - 1) % LayersPerOctave) + 1;
        int octave = ((step - layer) / LayersPerOctave) - 1;
        return (octave & 255) | (layer << 8);
    }
}
