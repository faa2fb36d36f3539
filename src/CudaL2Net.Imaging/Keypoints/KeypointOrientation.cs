using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// The one dominant direction of the grey levels' gradient in a patch: the highest peak of a histogram of 36 directions, weighted by the gradient's length and a
/// Gaussian of a sixth of the patch's side, smoothed over three bins twice, the peak refined by a parabola (as Lowe, IJCV 2004). A flat patch has the angle 0.
/// </summary>
internal static class KeypointOrientation
{
    /// <summary>The side of the patches that are looked at, in their own pixels.</summary>
    public const int Side = 32;

    private const int Bins = 36;
    private const double PatchScale = 6;

    /// <summary>Turns keypoints that have no orientation by that of their patches.</summary>
    /// <param name="grey">8 bits, one channel.</param>
    /// <param name="keypoints">n keypoints, upright.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    public static Keypoint[] Turn(Mat grey, Keypoint[] keypoints, int threads = 0)
    {
        var turned = new Keypoint[keypoints.Length];
        int first = 0;
        foreach (byte[] block in PatchCutter.CutBlocks(grey, keypoints, PatchScale, Side, threads))
        {
            int start = first, count = block.Length / (Side * Side);
            new Parallelism(threads).For(count, i =>
                turned[start + i] = keypoints[start + i].Turned(DominantAngle(block.AsSpan(i * Side * Side, Side * Side))));
            first += count;
        }

        return turned;
    }

    /// <summary>The direction in a patch: degrees, [0, 360), clockwise with y downwards.</summary>
    /// <param name="patch">[32][32].</param>
    public static double DominantAngle(ReadOnlySpan<byte> patch)
    {
        const double Middle = (Side - 1) / 2.0, Sigma = Side / 6.0;
        Span<double> histogram = stackalloc double[Bins], smooth = stackalloc double[Bins];
        histogram.Clear();
        for (int row = 1; row < Side - 1; row++)
        {
            for (int column = 1; column < Side - 1; column++)
            {
                int at = (row * Side) + column;
                double dx = patch[at + 1] - patch[at - 1], dy = patch[at + Side] - patch[at - Side];
                double far = ((row - Middle) * (row - Middle)) + ((column - Middle) * (column - Middle));
                double weight = Math.Sqrt((dx * dx) + (dy * dy)) * Math.Exp(-far / (2 * Sigma * Sigma));
                double bin = ((Math.Atan2(dy, dx) / (2 * Math.PI)) + 1) * Bins;
                int low = (int)bin;
                histogram[low % Bins] += weight * (1 - (bin - low));
                histogram[(low + 1) % Bins] += weight * (bin - low);
            }
        }

        for (int pass = 0; pass < 2; pass++)
        {
            for (int bin = 0; bin < Bins; bin++)
            {
                smooth[bin] = (histogram[(bin + Bins - 1) % Bins] + histogram[bin] + histogram[(bin + 1) % Bins]) / 3;
            }

            smooth.CopyTo(histogram);
        }

        int peak = 0;
        for (int bin = 1; bin < Bins; bin++)
        {
            peak = histogram[bin] > histogram[peak] ? bin : peak;
        }

        double before = histogram[(peak + Bins - 1) % Bins], after = histogram[(peak + 1) % Bins], bend = before - (2 * histogram[peak]) + after;
        double offset = bend < 0 ? 0.5 * (before - after) / bend : 0;
        return ((peak + offset + Bins) % Bins) * (360.0 / Bins);
    }
}
