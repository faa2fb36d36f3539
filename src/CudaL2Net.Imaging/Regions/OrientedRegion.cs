using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Imaging.Regions;

/// <summary>An elliptical region of an image and the turn of its normalized patch.</summary>
/// <param name="Shape">The ellipse, in OpenCV's and Oxford's coordinates: the centre of the top left pixel is (0, 0).</param>
/// <param name="Angle">
/// Degrees, clockwise with y downwards, in the normalized frame, where the ellipse is a circle: S (cos, sin) is the direction in the image of the patch's
/// x axis, S the symmetric matrix that takes the unit disc to the ellipse.
/// </param>
public readonly record struct OrientedRegion(Ellipse Shape, double Angle);
