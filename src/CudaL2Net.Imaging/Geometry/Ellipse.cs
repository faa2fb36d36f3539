namespace CudaL2Net.Imaging.Geometry;

/// <summary>
/// An ellipse in an image: the points p with A dx^2 + 2 B dx dy + C dy^2 &lt;= 1, where (dx, dy) = p - (X, Y). The numbers are those of a line of Oxford's
/// region files. Coordinates are pixels, y downwards, the centre of the top left pixel at (0, 0).
/// </summary>
/// <param name="X">Column of the centre.</param>
/// <param name="Y">Row of the centre.</param>
/// <param name="A">Above 0.</param>
/// <param name="B">Half of the mixed term.</param>
/// <param name="C">Above 0, A C &gt; B^2.</param>
public readonly record struct Ellipse(double X, double Y, double A, double B, double C)
{
    /// <summary>How much longer the axes of the measured region are than those of the detected one.</summary>
    public const double MeasurementScale = 3;

    /// <summary>Whether all numbers are finite and they describe an ellipse: A, C and A C - B^2 above 0.</summary>
    public bool IsValid => double.IsFinite(X + Y + Determinant + Area) && A > 0 && Determinant > 0;

    /// <summary>The area in square pixels.</summary>
    public double Area => Math.PI / Math.Sqrt(Determinant);

    /// <summary>The radius in pixels of the circle of the same area.</summary>
    public double Radius => 1 / Math.Sqrt(Math.Sqrt(Determinant));

    /// <summary>
    /// The symmetric matrix S = [[Xx, Xy], [Xy, Yy]] that takes the unit disc to the ellipse, moved to the origin: the inverse root of [[A, B], [B, C]].
    /// </summary>
    public (double Xx, double Xy, double Yy) FromUnitDisc
    {
        get
        {
            // The root of a 2 x 2 matrix M is (M + sqrt(det M) I) / sqrt(trace M + 2 sqrt(det M)); then it is inverted.
            double root = Math.Sqrt(Determinant), scale = root * Math.Sqrt(A + C + (2 * root));
            return ((C + root) / scale, -B / scale, (A + root) / scale);
        }
    }

    private double Determinant => (A * C) - (B * B);

    /// <summary>A circle.</summary>
    /// <param name="x">Column of the centre.</param>
    /// <param name="y">Row of the centre.</param>
    /// <param name="radius">In pixels, above 0.</param>
    public static Ellipse Circle(double x, double y, double radius) => new(x, y, 1 / (radius * radius), 0, 1 / (radius * radius));

    /// <summary>The ellipse that has, as a uniform disc, the given covariance; it is [[xx, xy], [xy, yy]] times 4, as a form of points.</summary>
    /// <param name="x">Column of the mean.</param>
    /// <param name="y">Row of the mean.</param>
    /// <param name="xx">Variance of the columns, in square pixels.</param>
    /// <param name="xy">Covariance.</param>
    /// <param name="yy">Variance of the rows; xx yy &gt; xy^2.</param>
    public static Ellipse FromMoments(double x, double y, double xx, double xy, double yy)
    {
        double scale = 1 / (4 * ((xx * yy) - (xy * xy)));
        return new Ellipse(x, y, yy * scale, -xy * scale, xx * scale);
    }

    /// <summary>The ellipse with the same centre and axes longer by a factor.</summary>
    /// <param name="factor">Above 0.</param>
    public Ellipse Scaled(double factor)
    {
        double shrink = 1 / (factor * factor);
        return new Ellipse(X, Y, A * shrink, B * shrink, C * shrink);
    }

    /// <summary>Where a homography takes the ellipse, the map linearized at the centre. Not finite where the centre goes to infinity.</summary>
    public Ellipse Warped(Homography map)
    {
        ArgumentNullException.ThrowIfNull(map);
        (double x, double y) = map.Map(X, Y);
        (double xx, double xy, double yx, double yy) = map.Jacobian(X, Y);

        // K = J^-1 takes offsets back, so the form of the image is K' M K.
        double determinant = (xx * yy) - (xy * yx);
        (double kxx, double kxy, double kyx, double kyy) = (yy / determinant, -xy / determinant, -yx / determinant, xx / determinant);
        return new Ellipse(
            x,
            y,
            (A * kxx * kxx) + (2 * B * kxx * kyx) + (C * kyx * kyx),
            (A * kxx * kxy) + (B * ((kxx * kyy) + (kxy * kyx))) + (C * kyx * kyy),
            (A * kxy * kxy) + (2 * B * kxy * kyy) + (C * kyy * kyy));
    }

    /// <summary>The area of the intersection over that of the union with another ellipse, 0 to 1; see <see cref="EllipseOverlap"/> for the method.</summary>
    public double Overlap(in Ellipse other) => EllipseOverlap.Of(this, other);
}
