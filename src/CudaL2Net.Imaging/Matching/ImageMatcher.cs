using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Matching;

/// <summary>Matches two images: keypoints, descriptors, nearest neighbours, geometric verification.</summary>
/// <param name="device">Where nearest descriptors are searched.</param>
/// <param name="describer">The descriptor.</param>
public sealed class ImageMatcher(Device device, IKeypointDescriber describer)
{
    private readonly KeypointMatcher matcher = new(device);

    /// <summary>Finds keypoints in two images, and their matches.</summary>
    /// <param name="first">8 bits, one channel.</param>
    /// <param name="second">8 bits, one channel.</param>
    /// <param name="options">Limits and tests.</param>
    /// <exception cref="ArgumentException">An image is not a non-empty 8-bit grey one, or an option is out of range.</exception>
    public ImageMatches Match(Mat first, Mat second, ImageMatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Match(
            first, KeypointDetector.Detect(first, options.Detection), second, KeypointDetector.Detect(second, options.Detection), options);
    }

    /// <summary>Finds and verifies matches of given keypoints.</summary>
    /// <param name="first">8 bits, one channel.</param>
    /// <param name="firstKeypoints">Keypoints of the first image.</param>
    /// <param name="second">8 bits, one channel.</param>
    /// <param name="secondKeypoints">Keypoints of the second image.</param>
    /// <param name="options">The tests; nothing is detected.</param>
    /// <exception cref="ArgumentException">An image is not a non-empty 8-bit grey one, or an option is out of range.</exception>
    public ImageMatches Match(Mat first, Keypoint[] firstKeypoints, Mat second, Keypoint[] secondKeypoints, ImageMatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(firstKeypoints);
        ArgumentNullException.ThrowIfNull(secondKeypoints);
        options.Check();
        return matcher.Match(describer.Describe(first, firstKeypoints), firstKeypoints, describer.Describe(second, secondKeypoints), secondKeypoints, options);
    }
}
