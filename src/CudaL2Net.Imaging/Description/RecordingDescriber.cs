using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>A method as it is, that keeps a sample of the descriptors it gives: for their statistics in a report. The sample is read when no thread is describing.</summary>
/// <param name="method">The method.</param>
public sealed class RecordingDescriber(IPatchDescriber method) : IPatchDescriber
{
    /// <inheritdoc/>
    public string Name => method.Name;

    /// <inheritdoc/>
    public int Dimension => method.Dimension;

    /// <inheritdoc/>
    public bool IsBinary => method.IsBinary;

    /// <inheritdoc/>
    public int PatchSide => method.PatchSide;

    /// <inheritdoc/>
    public double PatchScale => method.PatchScale;

    /// <summary>The method itself, which keeps nothing.</summary>
    public IPatchDescriber Method => method;

    /// <summary>The descriptors kept.</summary>
    public DescriptorSample Sample { get; } = new(method.Dimension, method.IsBinary);

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side)
    {
        DescriptorSet descriptors = method.Describe(patches, side);
        lock (Sample)
        {
            Sample.Add(descriptors);
        }

        return descriptors;
    }

    /// <summary>The method for keypoints, which adds to the same sample.</summary>
    internal IKeypointDescriber ForKeypoints(int threads) => new OfKeypoints(CutPatchDescriber.For(method, threads), Sample);

    private sealed class OfKeypoints(IKeypointDescriber method, DescriptorSample sample) : IKeypointDescriber
    {
        public string Name => method.Name;

        public int Dimension => method.Dimension;

        public DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
        {
            DescriptorSet descriptors = method.Describe(grey, keypoints);
            lock (sample)
            {
                sample.Add(descriptors);
            }

            return descriptors;
        }
    }
}
