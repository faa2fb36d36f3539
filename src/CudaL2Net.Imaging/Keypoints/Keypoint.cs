namespace CudaL2Net.Imaging.Keypoints;

/// <summary>A place in an image with a scale and an orientation, in OpenCV's conventions: the centre of the top left pixel is (0, 0).</summary>
/// <param name="X">Column of the centre, in pixels; pixel centres are at integers.</param>
/// <param name="Y">Row of the centre, in pixels, downwards; pixel centres are at integers.</param>
/// <param name="Size">The diameter of the meaningful neighbourhood in pixels (for SIFT twice the scale sigma).</param>
/// <param name="Angle">The orientation in degrees, [0, 360), clockwise as seen in the image: the direction is (cos, sin) with y downwards.</param>
/// <param name="Response">The strength of the detection; stronger is larger.</param>
/// <param name="Octave">The octave of the scale space it was found in; -1 is the image at twice its size.</param>
public readonly record struct Keypoint(float X, float Y, float Size, float Angle, float Response, int Octave)
{
    /// <summary>
    /// The affine shape of the neighbourhood. The default is none: a disc of <see cref="Size"/>, turned by <see cref="Angle"/>. Where there is one, patches are cut by
    /// it, and size and angle only say about how large it is and where it points.
    /// </summary>
    public AffineShape Shape { get; init; }

    /// <summary>Whether the keypoint has an affine shape.</summary>
    public bool IsAffine => Shape != default;

    /// <summary>A keypoint with an affine shape: its size is the diameter of the disc of the same area, its angle that of the shape's first column.</summary>
    /// <param name="x">Column of the centre, in pixels.</param>
    /// <param name="y">Row of the centre, in pixels.</param>
    /// <param name="shape">Takes the unit disc to the neighbourhood.</param>
    /// <param name="response">The strength of the detection.</param>
    public static Keypoint FromShape(float x, float y, AffineShape shape, float response = 0) =>
        new(x, y, shape.Size, shape.Angle, response, 0) { Shape = shape };

    /// <summary>The keypoint without its orientation: the angle is 0; an affine shape keeps its ellipse and turns to the symmetric matrix of it.</summary>
    public Keypoint Upright() => IsAffine ? FromShape(X, Y, Shape.Upright(), Response) with { Octave = Octave } : this with { Angle = 0 };

    /// <summary>The keypoint turned by more degrees, clockwise; an affine shape within its ellipse.</summary>
    internal Keypoint Turned(double degrees) => IsAffine
        ? FromShape(X, Y, Shape.Turned(degrees), Response) with { Octave = Octave }
        : this with { Angle = InOneTurn(Angle + degrees) };

    /// <summary>An angle from -360 degrees on as one of [0, 360).</summary>
    internal static float InOneTurn(double degrees) => (float)((degrees + 360) % 360) is var angle and < 360 ? angle : 0;
}
