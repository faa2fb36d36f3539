namespace CudaL2Net.Data;

/// <summary>
/// Where a patch's pixels lie in the image: pixel (column, row) at (X + Xx c + Xy r, Y + Yx c + Yy r), c and r counted from the middle of the patch,
/// (side - 1) / 2. Image coordinates have pixel centres at integers.
/// </summary>
internal readonly record struct SampleGrid(float X, float Y, float Xx, float Xy, float Yx, float Yy)
{
    /// <summary>
    /// The largest and the smallest distance that one pixel's step covers in the image, over all directions: the singular values; and the larger one as a
    /// vector in the image.
    /// </summary>
    public (double Widest, double Narrowest, float AlongX, float AlongY) Steps()
    {
        // Of G G': trace t and half difference and mixed term give the squares of the singular values and the long axis.
        double xx = ((double)Xx * Xx) + ((double)Xy * Xy), yy = ((double)Yx * Yx) + ((double)Yy * Yy), xy = ((double)Xx * Yx) + ((double)Xy * Yy);
        double spread = Math.Sqrt((0.25 * (xx - yy) * (xx - yy)) + (xy * xy)), widest = Math.Sqrt(((xx + yy) / 2) + spread);
        double angle = Math.Atan2(xy, (xx - yy) / 2) / 2, narrowest = Math.Abs(((double)Xx * Yy) - ((double)Xy * Yx)) / widest;
        return (widest, narrowest, (float)(widest * Math.Cos(angle)), (float)(widest * Math.Sin(angle)));
    }
}
