using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;
using OpenCvSharp.Features2D;

namespace CudaL2Net.Imaging.Description;

/// <summary>OpenCV's SIFT descriptor (Lowe, IJCV 2004): 128 values, each a whole number from 0 to 255.</summary>
public class SiftDescriber : IKeypointDescriber
{
    private const int LayersPerOctave = 3;
    private const double FirstSigma = 1.6;

    /// <inheritdoc/>
    public virtual string Name => "SIFT";

    /// <inheritdoc/>
    public int Dimension => 128;

    /// <inheritdoc/>
    public virtual DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
    {
        ArgumentNullException.ThrowIfNull(keypoints);
        PatchCutter.CheckGrey(grey);
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

    // OpenCV takes the picture to sample from the keypoint's packed octave and layer. Both follow from the size, which is
    // 2 sigma 2^(octave + (layer + x) / 3) with layer 1 to 3 and |x| at most 1/2, the first octave -1 being the doubled picture.
    private static int PackedOctave(float size)
    {
        double doubled = Math.Log2(2 * Math.Max(size, FirstSigma) / (2 * FirstSigma));
        int step = Math.Max(1, (int)Math.Round(LayersPerOctave * doubled));
        int layer = ((step - 1) % LayersPerOctave) + 1;
        int octave = ((step - layer) / LayersPerOctave) - 1;
        return (octave & 255) | (layer << 8);
    }
}
