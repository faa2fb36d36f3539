namespace CudaL2Net.Data;

/// <summary>
/// Where a patch lies as a 2 x 3 affine map, [Xx Xy X; Yx Yy Y]: the point (u, v) of the patch is at (X + Xx u + Xy v, Y + Yx u + Yy v) of the image. The patch's
/// edges are at u, v = -1 and 1, u to the right and v down. Pixel centres of the image are at integers. These are Kornia's local affine frames.
/// </summary>
/// <remarks>A keypoint of size s and angle a at patch scale m is the frame with Xx = Yy = h cos a, Yx = h sin a, Xy = -h sin a, where h = m s / 2.</remarks>
/// <param name="X">Column of the centre, in pixels.</param>
/// <param name="Y">Row of the centre, in pixels, downwards.</param>
/// <param name="Xx">Columns per unit of u.</param>
/// <param name="Xy">Columns per unit of v.</param>
/// <param name="Yx">Rows per unit of u.</param>
/// <param name="Yy">Rows per unit of v.</param>
public readonly record struct AffineFrame(float X, float Y, float Xx, float Xy, float Yx, float Yy)
{
    /// <summary>Where the pixels of a patch lie.</summary>
    internal SampleGrid Grid(int side)
    {
        float step = 2f / side;
        return new SampleGrid(X, Y, Xx * step, Xy * step, Yx * step, Yy * step);
    }
}
