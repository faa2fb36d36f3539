using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>RootSIFT (Arandjelovic and Zisserman, CVPR 2012): the roots of the SIFT descriptor divided by its sum, a unit vector.</summary>
/// <param name="threads">The most threads that describe patches at once; 0 is one per core.</param>
public sealed class RootSiftDescriber(int threads = 0) : SiftDescriber(threads)
{
    /// <inheritdoc/>
    public override string Name => "RootSIFT";

    /// <inheritdoc/>
    public override DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
    {
        DescriptorSet sift = base.Describe(grey, keypoints);
        for (int i = 0; i < sift.Count; i++)
        {
            Span<float> row = sift.Values.AsSpan(i * Dimension, Dimension);
            float sum = 0;
            foreach (float value in row)
            {
                sum += value;
            }

            foreach (ref float value in row)
            {
                value = MathF.Sqrt(value / Math.Max(sum, float.Epsilon));
            }
        }

        return sift;
    }
}
