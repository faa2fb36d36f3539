namespace CudaL2Net.Imaging.Keypoints;

/// <summary>How keypoints are found. All of OpenCV's detectors run with OpenCV's default settings, unless said.</summary>
public enum Detector
{
    /// <summary>SIFT (Lowe, IJCV 2004): blobs, with size and orientation. Images of any size, in bounded memory.</summary>
    Sift,

    /// <summary>AKAZE (Alcantarilla et al., BMVC 2013): blobs of a nonlinear scale space, with size and orientation.</summary>
    Akaze,

    /// <summary>ORB (Rublee et al., ICCV 2011): FAST corners on eight scales, with orientation.</summary>
    Orb,

    /// <summary>BRISK (Leutenegger et al., ICCV 2011): corners of a scale space, with size.</summary>
    Brisk,

    /// <summary>MSER (Matas et al., BMVC 2002): dark and bright regions, with affine shapes; the strength is the area.</summary>
    Mser,

    /// <summary>Harris' corners (Harris and Stephens, 1988) at the image's own scale, to a fraction of a pixel.</summary>
    Harris,

    /// <summary>Places on a regular grid, whatever the image shows; always upright.</summary>
    Grid,
}

/// <summary>How many keypoints are found in an image, and by what. The defaults are those of the command-line tool.</summary>
public sealed record DetectionOptions
{
    /// <summary>The defaults.</summary>
    public static DetectionOptions Default { get; } = new();

    /// <summary>The detector.</summary>
    public Detector Detector { get; init; } = Detector.Sift;

    /// <summary>The most keypoints of an image, the strongest; at least 1.</summary>
    public int Limit { get; init; } = 5000;

    /// <summary>The most pixels of the longer side of the image that is searched: a larger one is reduced for it, and keypoints are given in the pixels of the image
    /// itself. Null for the image as it is.</summary>
    public int? MaxSide { get; init; }

    /// <summary>Whether keypoints have no orientation: their patches are upright. A place with several orientations is then one keypoint.</summary>
    public bool Upright { get; init; }
}
