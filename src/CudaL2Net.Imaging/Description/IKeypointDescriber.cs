using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Description;

/// <summary>Describes given keypoints of an image: SIFT, a network, or any other method that is to be matched or compared. Many threads may use one at
/// once.</summary>
public interface IKeypointDescriber
{
    /// <summary>The method's name in tables and plots.</summary>
    string Name { get; }

    /// <summary>Values, or bits, of a descriptor.</summary>
    int Dimension { get; }

    /// <summary>Describes keypoints.</summary>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="keypoints">n keypoints of the image.</param>
    /// <returns>n descriptors in the keypoints' order.</returns>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one.</exception>
    DescriptorSet Describe(Mat grey, Keypoint[] keypoints);
}
