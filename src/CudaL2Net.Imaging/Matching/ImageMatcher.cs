using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Matching;

/// <summary>Matches two images: SIFT keypoints, descriptors, nearest neighbours, geometric verification.</summary>
/// <param name="device">Where nearest descriptors are searched.</param>
/// <param name="describer">The descriptor.</param>
public sealed class ImageMatcher(Device device, IKeypointDescriber describer)
{
    private readonly DescriptorSearch search = new(device);

    /// <summary>Finds and verifies matches.</summary>
    /// <param name="first">8 bits, one channel.</param>
    /// <param name="second">8 bits, one channel.</param>
    /// <param name="options">Limits and tests.</param>
    /// <exception cref="ArgumentException">An image is not a non-empty 8-bit grey one, or an option is out of range.</exception>
    public ImageMatches Match(Mat first, Mat second, ImageMatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!(options.Tolerance > 0))
        {
            throw new ArgumentException($"the tolerance must be above 0 pixels, not {options.Tolerance}");
        }

        Keypoint[] firstKeypoints = KeypointDetector.Detect(first, options.KeypointLimit, options.MaxSide);
        Keypoint[] secondKeypoints = KeypointDetector.Detect(second, options.KeypointLimit, options.MaxSide);
        DescriptorSet firstDescriptors = describer.Describe(first, firstKeypoints), secondDescriptors = describer.Describe(second, secondKeypoints);
        DescriptorMatch[] matches = search.Match(firstDescriptors, secondDescriptors, options.Match);
        Point2d[] from = Array.ConvertAll(matches, match => new Point2d(firstKeypoints[match.Query].X, firstKeypoints[match.Query].Y));
        Point2d[] to = Array.ConvertAll(matches, match => new Point2d(secondKeypoints[match.Target].X, secondKeypoints[match.Target].Y));
        (MatchGeometry geometry, double[]? matrix, bool[] verified) = GeometricVerification.Verify(from, to, options.Tolerance);
        return new ImageMatches(firstKeypoints, secondKeypoints, matches, verified, geometry, matrix);
    }
}
