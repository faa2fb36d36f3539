using CudaL2Net.Data;
using CudaL2Net.Matching;

namespace CudaL2Net.Imaging.Description;

/// <summary>
/// The pixels themselves, the plainest baseline: the patch at 32 x 32 minus its mean, divided by its norm. The Euclidean distance of two then ranks like
/// normalized cross-correlation. A flat patch is described by zeros.
/// </summary>
public sealed class RawDescriber : IPatchDescriber
{
    /// <inheritdoc/>
    public string Name => "raw";

    /// <inheritdoc/>
    public int Dimension => PatchSet.Area;

    /// <inheritdoc/>
    public bool IsBinary => false;

    /// <inheritdoc/>
    public int PatchSide => PatchSet.Side;

    /// <inheritdoc/>
    public double PatchScale => CutPatchDescriber.UsualPatchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side)
    {
        byte[] reduced = PatchResize.Reduce(patches, side);
        var values = new float[reduced.Length];
        for (int first = 0; first < reduced.Length; first += Dimension)
        {
            long sum = 0, squares = 0;
            foreach (byte pixel in reduced.AsSpan(first, Dimension))
            {
                sum += pixel;
                squares += pixel * pixel;
            }

            double mean = (double)sum / Dimension, norm = Math.Sqrt(squares - (sum * mean));
            for (int i = 0; norm > 0 && i < Dimension; i++)
            {
                values[first + i] = (float)((reduced[first + i] - mean) / norm);
            }
        }

        return DescriptorSet.FromValues(values, Dimension);
    }
}
