using CudaL2Net.Data;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Regions;

/// <summary>
/// Affinely normalized patches of elliptical regions: the ellipse, its axes made longer, becomes the circle inscribed in the square patch, turned by the
/// region's angle.
/// </summary>
public static class RegionPatches
{
    /// <summary>Cuts one patch a region.</summary>
    /// <remarks>
    /// The patch's border of pixels touches the enlarged ellipse's bounding parallelogram: pixel centres are half a pixel inside. Patches are sampled from
    /// a Gaussian pyramid, with several probes a pixel where the ellipse is long, so fine texture does not alias. Outside the image its border goes on.
    /// </remarks>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="regions">n regions.</param>
    /// <param name="magnification">How much longer the axes are made; above 0.</param>
    /// <param name="side">Side of the patch in its own pixels, 1 to 128.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>[n][side][side].</returns>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one, a region is no ellipse, or the numbers are out of range.</exception>
    public static unsafe byte[] Cut(Mat grey, IReadOnlyList<OrientedRegion> regions, double magnification, int side, int threads = 0)
    {
        PatchCutter.CheckGrey(grey);
        ArgumentNullException.ThrowIfNull(regions);
        if (side is < 1 or > ImagePatches.LargestSide || !(magnification > 0) || !double.IsFinite(magnification))
        {
            throw new ArgumentException($"patches have a side of 1 to {ImagePatches.LargestSide} and a magnification above 0, not {side} and {magnification}");
        }

        foreach (OrientedRegion region in regions)
        {
            if (!region.Shape.IsValid || !double.IsFinite(region.Angle))
            {
                throw new ArgumentException($"a region is no ellipse with a finite angle: {region}", nameof(regions));
            }
        }

        byte[] patches = new byte[(long)regions.Count * side * side];
        if (regions.Count == 0)
        {
            return patches;
        }

        SampleGrid[] grids = [.. regions.Select(region => Grid(region, magnification, side))];
        ImagePyramid pyramid = PatchCutter.Pyramid(grey, grids.Max(grid => grid.Steps().Widest));
        fixed (byte* target = patches)
        {
            nint address = (nint)target;
            new Parallelism(threads).For(grids.Length, i => pyramid.Cut(grids[i], side, (byte*)address + ((long)i * side * side)));
        }

        return patches;
    }

    /// <summary>
    /// Turns regions without an orientation by the one dominant direction of the grey levels' gradient in the upright normalized patch: the highest peak of a
    /// histogram of 36 directions, weighted by the gradient's length and a Gaussian of a sixth of the patch's side, smoothed over three bins twice, the peak
    /// refined by a parabola (as Lowe, IJCV 2004). A flat patch has the angle 0.
    /// </summary>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <param name="shapes">n ellipses.</param>
    /// <param name="magnification">How much longer the axes of the patch are than the ellipse's.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <returns>The regions in the same order.</returns>
    /// <exception cref="ArgumentException">As by <see cref="Cut"/>.</exception>
    public static OrientedRegion[] Orient(Mat grey, IReadOnlyList<Ellipse> shapes, double magnification = Ellipse.MeasurementScale, int threads = 0)
    {
        OrientedRegion[] upright = [.. shapes.Select(shape => new OrientedRegion(shape, 0))];
        byte[] patches = Cut(grey, upright, magnification, KeypointOrientation.Side, threads);
        const int Area = KeypointOrientation.Side * KeypointOrientation.Side;
        var oriented = new OrientedRegion[upright.Length];
        new Parallelism(threads).For(oriented.Length, i =>
            oriented[i] = upright[i] with { Angle = KeypointOrientation.DominantAngle(patches.AsSpan(i * Area, Area)) });
        return oriented;
    }

    private static SampleGrid Grid(OrientedRegion region, double magnification, int side)
    {
        (double xx, double xy, double yy) = region.Shape.FromUnitDisc;
        (double sin, double cos) = Math.SinCos(region.Angle * (Math.PI / 180));
        double step = 2 * magnification / side;
        return new SampleGrid(
            (float)region.Shape.X,
            (float)region.Shape.Y,
            (float)(step * ((xx * cos) + (xy * sin))),
            (float)(step * ((xy * cos) - (xx * sin))),
            (float)(step * ((xy * cos) + (yy * sin))),
            (float)(step * ((yy * cos) - (xy * sin))));
    }
}
