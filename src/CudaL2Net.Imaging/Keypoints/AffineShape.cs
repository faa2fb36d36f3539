using CudaL2Net.Data;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// The shape of a keypoint's neighbourhood as a 2 x 2 matrix: it takes the unit disc to the neighbourhood, in pixels, x to the right and y down. These are the numbers
/// of COLMAP's affine keypoints. For a keypoint of size s and angle a it is s / 2 x [cos a, -sin a; sin a, cos a]; for SIFT, s / 2 is sigma.
/// </summary>
/// <param name="A11">Columns per unit along the patch's x axis.</param>
/// <param name="A12">Columns per unit along the patch's y axis.</param>
/// <param name="A21">Rows per unit along the patch's x axis.</param>
/// <param name="A22">Rows per unit along the patch's y axis.</param>
public readonly record struct AffineShape(float A11, float A12, float A21, float A22)
{
    /// <summary>Whether all numbers are finite and the shape has an area.</summary>
    public bool IsValid => double.IsFinite(Determinant) && Size > 0 && float.IsFinite(Size);

    /// <summary>The diameter of the disc of the same area, in pixels.</summary>
    public float Size => (float)(2 * Math.Sqrt(Math.Abs(Determinant)));

    /// <summary>The direction of the patch's x axis in the image: degrees, [0, 360), clockwise with y downwards.</summary>
    public float Angle => Keypoint.InOneTurn(Math.Atan2(A21, A11) * (180 / Math.PI));

    private double Determinant => ((double)A11 * A22) - ((double)A12 * A21);

    /// <summary>The shape of a keypoint that is a disc.</summary>
    /// <param name="size">Its diameter in pixels, above 0.</param>
    /// <param name="angle">Degrees, clockwise with y downwards.</param>
    public static AffineShape Disc(float size, float angle) => new AffineShape(size / 2, 0, 0, size / 2).Turned(angle);

    /// <summary>The symmetric matrix that takes the unit disc to the same ellipse.</summary>
    public AffineShape Upright()
    {
        // The root of M = A A': (M + sqrt(det M) I) / sqrt(trace M + 2 sqrt(det M)).
        double xx = ((double)A11 * A11) + ((double)A12 * A12), yy = ((double)A21 * A21) + ((double)A22 * A22), xy = ((double)A11 * A21) + ((double)A12 * A22);
        double root = Math.Abs(Determinant), scale = 1 / Math.Sqrt(xx + yy + (2 * root));
        return new AffineShape((float)((xx + root) * scale), (float)(xy * scale), (float)(xy * scale), (float)((yy + root) * scale));
    }

    /// <summary>The same ellipse with its patch turned in it.</summary>
    internal AffineShape Turned(double degrees)
    {
        (double sin, double cos) = Math.SinCos(degrees * (Math.PI / 180));
        return new AffineShape(
            (float)((A11 * cos) + (A12 * sin)), (float)((A12 * cos) - (A11 * sin)), (float)((A21 * cos) + (A22 * sin)), (float)((A22 * cos) - (A21 * sin)));
    }

    /// <summary>The shape in an image with other columns and rows.</summary>
    internal AffineShape Stretched(double columns, double rows) =>
        new((float)(A11 * columns), (float)(A12 * columns), (float)(A21 * rows), (float)(A22 * rows));

    /// <summary>Where the pixels of a patch lie.</summary>
    internal SampleGrid Grid(float x, float y, double patchScale, int side) => new AffineFrame(
        x, y, (float)(A11 * patchScale), (float)(A12 * patchScale), (float)(A21 * patchScale), (float)(A22 * patchScale)).Grid(side);
}
