using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Images;

/// <summary>Keypoints whose patches are squares; or, where a program adapted their shapes, parallelograms.</summary>
/// <param name="Keypoints">n keypoints in OpenCV's terms.</param>
/// <param name="Regions">n regions with the shapes, whose radius is a scale sigma; null where all are circles.</param>
internal sealed record KeypointFrames(Keypoint[] Keypoints, OrientedRegion[]? Regions = null)
{
    /// <summary>Describes the keypoints of an image.</summary>
    /// <param name="grey">The image.</param>
    /// <param name="method">The descriptor.</param>
    /// <param name="threads">The most threads that cut patches; 0 is one per core.</param>
    public DescriptorSet Describe(Mat grey, IPatchDescriber method, int threads)
    {
        if (Regions is null)
        {
            return CutPatchDescriber.For(method, threads).Describe(grey, Keypoints);
        }

        var descriptors = new DescriptorSetBuilder(Regions.Length, method.Dimension, method.IsBinary);
        foreach (OrientedRegion[] block in Regions.Chunk(PatchCutter.BlockPatches))
        {
            descriptors.Add(method.Describe(RegionPatches.Cut(grey, block, method.PatchScale, method.PatchSide, threads), method.PatchSide));
        }

        return descriptors.Build();
    }

    /// <summary>The region that a matrix makes of the unit disc, and the direction that it takes the x axis to.</summary>
    /// <returns>Not valid where the matrix has no inverse or mirrors.</returns>
    public static OrientedRegion Region(double x, double y, double a11, double a12, double a21, double a22)
    {
        double determinant = (a11 * a22) - (a12 * a21);
        double square = determinant > 0 ? determinant * determinant : double.NaN;
        double xx = (a11 * a11) + (a12 * a12), xy = (a11 * a21) + (a12 * a22), yy = (a21 * a21) + (a22 * a22);
        var shape = new Ellipse(x, y, yy / square, -xy / square, xx / square);
        if (!shape.IsValid)
        {
            return new OrientedRegion(shape, 0);
        }

        // The matrix is S R: S the symmetric one of the shape, R the turn.
        (double sxx, double sxy, double syy) = shape.FromUnitDisc;
        double angle = Math.Atan2((sxx * a21) - (sxy * a11), (syy * a11) - (sxy * a21)) * (180 / Math.PI);
        return new OrientedRegion(shape, angle < 0 ? angle + 360 : angle);
    }
}
